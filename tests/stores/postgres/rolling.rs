//! Versions beside each other: what an older one left is kept, and what it calls while it still runs goes on.

use std::time::Duration;

use belts::store::{CommitOutcome, Limits, Register, RunFilter, Store, Subscription};

use super::{InSchema, SCHEMA, ask, run};
use crate::requests::{LEASE, at, claim, commit, complete, entry, event, publish, worker};

/// The scripts that made the versions, which never change again.
pub(super) const FIRST: [&str; 6] = [
    include_str!("../../../belts/src/store/postgres/migrations/0001/tables.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0001/commit.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0001/publish.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0001/sessions.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0001/claim.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0001/change.sql"),
];
pub(super) const SECOND: [&str; 4] = [
    include_str!("../../../belts/src/store/postgres/migrations/0002/tables.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0002/publish.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0002/claim.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0002/change.sql"),
];

/// What the second version sends, with `{now}` for a time.
mod second {
    pub(super) const REGISTER: &str = "SELECT id FROM {schema}.register('old', 'old', {now}, 30000, 0, '{f,g}', '{t,t}', '{f,g}')";
    pub(super) const PUBLISH_ONE: &str = "WITH event AS (
            INSERT INTO {schema}.events (published_at, ticket, idle, id, event_type, correlation_key, traceparent, payload)
            SELECT {now}, 77, false, 'single', 't', NULL, NULL, '{}'
                WHERE (SELECT version FROM {schema}.subscriptions_version) >= 0
            ON CONFLICT (id) DO NOTHING RETURNING number
        ), session AS MATERIALIZED (
            SELECT id FROM {schema}.workers WHERE id = {worker} AND lease_until > {now}
                AND (barred_store IS DISTINCT FROM 'old' OR barred_call < 1)
            FOR SHARE
        )
        INSERT INTO {schema}.runs (number, token, due_at, worker, started_at, retries, id, function_id, status)
        SELECT event.number << 16 | 1, 77, CASE WHEN session.id IS NULL THEN {now} END, session.id,
            CASE WHEN session.id IS NOT NULL THEN {now} END, NULL, 'single-run', 'f',
            CASE WHEN session.id IS NULL THEN 'pending' ELSE 'running' END
        FROM event LEFT JOIN session ON true
        RETURNING number";
    pub(super) const PUBLISH: &str = "SELECT event_numbers[1] FROM {schema}.publish('old', 2,
        (SELECT version FROM {schema}.subscriptions_version), '{many}', '{t}', '{NULL}', '{NULL}', ARRAY['{}'::bytea], '{78}',
        '{{now}}', '{false}', '{1,1}', '{1,2}', '{many-f,many-g}', '{f,g}', '{{now},{now}}', '{NULL,NULL}',
        '{NULL,NULL}', '{}', '{}')";
    pub(super) const STEP: &str = "INSERT INTO {schema}.steps
            (run, started_at, due_at, finished_at, seq, attempts, kind, state, path, type_name, value)
        SELECT number, {now}, NULL, {now}, 0, 1, 'step', 'completed', 'step-0', '()', '{\"v\":1,\"ok\":null}' FROM (
            SELECT number FROM {schema}.runs WHERE number = {run} AND worker + 0 = {worker} AND token = 77
                AND EXISTS (SELECT FROM {schema}.workers WHERE id = {worker} AND lease_until > {now})
                AND NOT EXISTS (SELECT FROM {schema}.steps WHERE run = {run} AND seq = 0)
            FOR UPDATE) AS held
        RETURNING 1::bigint";
    pub(super) const COMMIT: &str = "SELECT coalesce(cardinality({schema}.commit('old', false, '{{run}}', '{{worker}}', '{77}',
        '{{worker}}', '{{now}}', '{1}', '{suspended}', '{{now}}', '{NULL}', ARRAY[NULL::bytea], '{NULL}', '{true}',
        '{1}', '{1}', '{1}', '{NULL}', '{{now}}', '{{now}}', '{step}', '{completed}', '{step-1}', '{()}',
        ARRAY['{\"v\":1,\"ok\":null}'::bytea])), 0)::bigint";
    pub(super) const CLAIM: &str =
        "SELECT count(*) FILTER (WHERE tag = 2) * 100 + count(*) FILTER (WHERE tag = 3) * 10
            + count(*) FILTER (WHERE tag = 0)
        FROM {schema}.claim('old', 3, {worker}, {now}, 10, '{f,g}', '{10,10}', NULL, true, 5000)";
    pub(super) const RENEW: &str = "SELECT {schema}.renew('old', {worker}, {now}, 30000)";
    pub(super) const RELEASE: &str =
        "SELECT {schema}.release('old', 4, {worker}, {now}, '{}', '{}')";
    pub(super) const RERUN: &str =
        "SELECT {schema}.rerun_from('old', 'single-run', {now}, NULL)::int::bigint";
    pub(super) const CANCEL: &str = "UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = {now}
        WHERE id = 'single-run' AND finished_at IS NULL RETURNING 1::bigint";
    pub(super) const PURGE: &str = "SELECT {schema}.purge({now} + 1, 10)";
    pub(super) const DEREGISTER: &str = "SELECT {schema}.deregister('old', {worker}, {now})";
}

/// A process of an older version.
struct Old<'a> {
    schema: &'a InSchema,
    worker: i64,
    run: i64,
}

impl Old<'_> {
    async fn asks(&self, sql: &str) -> i64 {
        let sql = sql
            .replace("{now}", &at(0).as_millis().to_string())
            .replace("{worker}", &self.worker.to_string())
            .replace("{run}", &self.run.to_string());
        ask(self.schema.sql(&sql)).await
    }

    /// All that it does with one run and more.
    async fn works(&mut self) {
        self.worker = self.asks(second::REGISTER).await;
        self.run = self.asks(second::PUBLISH_ONE).await;
        assert_eq!(self.asks(second::STEP).await, 1);
        assert_eq!(self.asks(second::COMMIT).await, 0, "no lease was lost");
        assert!(self.asks(second::PUBLISH).await > 0);
        assert_eq!(self.asks(second::RENEW).await, 0);
        assert_eq!(
            self.asks(second::CLAIM).await,
            3 * 100 + 2 * 10 + 1,
            "three runs with two steps"
        );
        assert_eq!(self.asks(second::RELEASE).await, 3);
    }
}

pub(super) async fn make(schema: &InSchema, scripts: &[&str], version: u32) {
    run(schema.sql("CREATE SCHEMA {schema}")).await;
    for script in scripts {
        let script = script.replace("{channel}", &schema.0);
        let script = script.replace("{places}", "2").replace("{arrivals}", "16");
        run(schema.sql(&script.replace("{lock}", "1").replace("{unknown}", "8"))).await;
    }
    run(schema.sql(&format!(
        "INSERT INTO {{schema}}.schema_version VALUES ({version})"
    )))
    .await;
}

/// A migration dropped functions and made them anew with other parameters, and every process of the version before that was
/// still at work failed from then on.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn version_before_works_on_beside_this_one() -> belts::Result<()> {
    let schema = InSchema::new();
    make(&schema, &[&FIRST[..], &SECOND[..]].concat(), 2).await;
    let mut old = Old {
        schema: &schema,
        worker: 0,
        run: 0,
    };
    old.worker = old.asks(second::REGISTER).await;
    // From here on there is this version as well.
    let store = schema.builder().open().await?;
    publish(&store, event("new")).await?;
    assert_eq!(old.asks(second::DEREGISTER).await, 0);
    old.worker = old.asks(second::REGISTER).await;
    assert_eq!(
        old.asks(second::CLAIM).await,
        101,
        "it takes what this one has published"
    );
    assert_eq!(old.asks(second::RELEASE).await, 1);
    assert_eq!(
        claim(&store, worker(&store).await?, at(0))
            .await?
            .runs
            .len(),
        1
    );
    old.works().await;
    assert_eq!(old.asks(second::CANCEL).await, 1);
    assert_eq!(old.asks(second::RERUN).await, 1);
    assert_eq!(old.asks(second::CANCEL).await, 1);
    assert_eq!(old.asks(second::PURGE).await, 1);
    // This one takes over what the old one leaves.
    assert_eq!(old.asks(second::DEREGISTER).await, 0);
    assert_eq!(
        claim(&store, worker(&store).await?, at(0))
            .await?
            .runs
            .len(),
        2
    );
    // What it did without a digest is a duplicate and no conflict.
    let mut again = event("many");
    again.digest = belts::store::EventDigest::of("t", b"{\"other\":1}");
    let again = publish(&store, again).await?;
    assert!(again.duplicate && !again.conflict);
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn database_of_the_version_before_is_kept() -> belts::Result<()> {
    let schema = InSchema::new();
    make(&schema, &[&FIRST[..], &SECOND[..]].concat(), 2).await;
    let mut old = Old {
        schema: &schema,
        worker: 0,
        run: 0,
    };
    old.works().await;
    let store = schema.builder().open().await?;
    let version = "SELECT max(version)::bigint FROM {schema}.schema_version";
    assert_eq!(ask::<i64>(schema.sql(version)).await, SCHEMA);
    // Nobody of this version has said what it wants, so what was wanted stands; and so it does when the old one ends.
    let both = ["f", "g"].map(|function| Subscription::new(function, ["t"]));
    assert_eq!(store.subscriptions().await?, both);
    assert_eq!(old.asks(second::DEREGISTER).await, 0);
    assert_eq!(store.subscriptions().await?, both);
    let ours = worker(&store).await?;
    let claimed = claim(&store, ours, at(0)).await?.runs;
    assert_eq!(claimed.len(), 3);
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 3);
    let single = claimed.iter().find(|run| &*run.run_id == "single-run");
    let single = single.expect("it is one of the three");
    assert_eq!((single.journal.len(), single.crashes), (2, 0));
    let outcome = commit(&store, single.lease, vec![entry(2)], Some(complete())).await?;
    assert_eq!(outcome, CommitOutcome::Applied);
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn database_of_the_first_version_is_kept() -> belts::Result<()> {
    let schema = InSchema::new();
    make(&schema, &FIRST, 1).await;
    // The function `publish` of the first version is known to nobody any more; its tables are.
    run(schema.sql(
        "INSERT INTO {schema}.events (published_at, ticket, idle, id, event_type, payload) VALUES (1, 1, false, 'before', 't', '{}');
         INSERT INTO {schema}.runs (number, token, due_at, id, function_id, status)
            SELECT number << 16 | 1, 1, 1, 'before-f', 'f', 'pending' FROM {schema}.events",
    ))
    .await;
    let store = schema.builder().open().await?;
    let ours = worker(&store).await?;
    publish(&store, event("after")).await?;
    let claimed = claim(&store, ours, at(0)).await?.runs;
    let events: Vec<&str> = claimed.iter().map(|run| &*run.event_id).collect();
    assert_eq!(events, ["before", "after"]);
    Ok(())
}

/// Of all that a version before asks, only its claims can be told of a pause: it publishes by a plan of its own.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn version_before_claims_nothing_of_a_paused_function() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = worker(&store).await?;
    publish(&store, event("e")).await?;
    let claims = async |call: i64| {
        // As the third version asks.
        let sql = format!(
            "SELECT count(*) FILTER (WHERE tag IN (1, 2)) FROM {{schema}}.claim('old', {call}, {}, {}, 10, 1000000, '{{f}}', '{{10}}',
                '{{}}', '{{}}', NULL, true, 5000)",
            worker.0,
            at(0).as_millis()
        );
        ask::<i64>(schema.sql(&sql)).await
    };
    assert!(store.pause("f", at(0)).await?);
    assert_eq!(claims(1).await, 0);
    assert!(store.resume("f", at(0)).await?);
    assert_eq!(claims(2).await, 1);
    Ok(())
}

/// A version before does not end what is over, so its claims bring it: otherwise nobody would, after a deploy that is taken back. Its
/// sessions have limits of none of their functions, and change none.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn version_before_goes_on_with_what_is_over() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let limits = Limits::new("f").with_start_within(Duration::from_millis(10));
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(vec![Subscription::new("f", ["t"])])
        .with_limits(vec![limits]);
    let worker = store.register(register).await?;
    let register = "SELECT id FROM {schema}.register('old', NULL, 0, 30000, -9, '{f}', '{t}', '{f}', '{}', '{}')";
    ask::<i64>(schema.sql(register)).await;
    publish(&store, event("e")).await?;
    let run = &store.list(RunFilter::default()).await?.runs[0];
    assert!(run.start_by.is_some(), "they stay");
    assert!(claim(&store, worker, at(1_000)).await?.runs.is_empty());
    let sql = format!(
        "SELECT count(*) FILTER (WHERE tag = 2) FROM {{schema}}.claim('old', 1, {}, {}, 10, 1000000, '{{f}}', '{{10}}',
            '{{}}', '{{}}', NULL, true, 5000, true)",
        worker.0,
        at(1_000).as_millis()
    );
    assert_eq!(ask::<i64>(schema.sql(&sql)).await, 1);
    Ok(())
}
