//! The third version beside this one, which has runs that start others.

use belts::store::{RunStatus, Store};

use super::{
    InSchema, ask,
    families::{calls, family, told},
    rolling::{FIRST, SECOND, make},
    run,
    waits::begin,
};
use crate::requests::{at, paid, publish};

const THIRD: [&str; 12] = [
    include_str!("../../../belts/src/store/postgres/migrations/0003/tables.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/waits.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/places.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/arrivals.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/commit_waits.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/commit.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/wants.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/publish.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/sessions.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/claim.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/change.sql"),
    include_str!("../../../belts/src/store/postgres/migrations/0003/paths.sql"),
];

const REGISTER: &str = "SELECT id FROM {schema}.register('old', 'old', {now}, 30000, 0, '{f,g}', '{f,g}', '{f,g}', '{paid,paid}',
    '{f,g}')";
const PUBLISH_ONE: &str = "WITH known AS MATERIALIZED (
        SELECT seen FROM {schema}.subscriptions_version WHERE version >= 0
    ), event AS (
        INSERT INTO {schema}.events
            (published_at, ticket, idle, id, event_type, correlation_key, traceparent, payload, digest, place, visible_at)
        SELECT {now}, 77, false, 'old-p', 'f', NULL, NULL, '{}', '1234567812345678', NULL, NULL FROM known
        ON CONFLICT (id) DO NOTHING RETURNING number
    ), session AS MATERIALIZED (
        SELECT id FROM {schema}.workers WHERE id = {worker} AND lease_until > {now}
            AND (barred_store IS DISTINCT FROM 'old' OR barred_call < 1)
        FOR SHARE
    )
    INSERT INTO {schema}.runs (number, token, due_at, worker, started_at, retries, id, function_id, status)
    SELECT event.number << 16 | 1, 77, CASE WHEN session.id IS NULL THEN {now} END, session.id,
        CASE WHEN session.id IS NOT NULL THEN {now} END, NULL, 'old-run', 'f',
        CASE WHEN session.id IS NULL THEN 'pending' ELSE 'running' END
    FROM event CROSS JOIN known LEFT JOIN session ON true
    RETURNING number";
/// An entry that waits for `paid`.
const WAIT: &str = "SELECT coalesce(cardinality({schema}.commit('old', false, '{{run}}', '{{worker}}', '{77}', '{{worker}}', '{{now}}',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{1}', '{0}', '{0}', '{NULL}', '{{now}}', '{NULL}', '{wait}', '{waiting}', '{wait}',
    '{()}', ARRAY[''::bytea], '{1}', ARRAY['{\"event\":{\"types\":[],\"key\":null}}'], '{1}', '{paid}', '{NULL}', '{start}',
    '{NULL}')), 0)::bigint";
const SUSPEND: &str = "SELECT coalesce(cardinality({schema}.commit('old', false, '{{run}}', '{{worker}}', '{77}', '{{worker}}',
    '{{now}}', '{1}', '{suspended}', '{NULL}', '{NULL}', ARRAY[NULL::bytea], '{NULL}', '{false}',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')), 0)::bigint";
/// How many rows there are of each tag, of one run by its name.
const CLAIM: &str = "SELECT (count(*) FILTER (WHERE tag = 2) * 1000 + count(*) FILTER (WHERE tag = 3) * 100
        + count(*) FILTER (WHERE tag = 5) * 10 + count(*) FILTER (WHERE tag > 5))::bigint
    FROM {schema}.claim('old', 3, {worker}, {now}, 10, 1000000, '{f,g}', '{10,10}', '{}', '{}', '{name}', true, 5000)";
const COMPLETE: &str = "SELECT coalesce(cardinality({schema}.commit('old', false, ARRAY[number], ARRAY[worker], ARRAY[token],
    '{{worker}}', '{{now}}', '{1}', '{failed}', '{NULL}', '{1}', ARRAY['{\"v\":1,\"err\":{}}'::bytea], '{{now}}', '{false}',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')), 0)::bigint FROM {schema}.runs WHERE id = '{name}'";
const CANCEL: &str = "UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = {now}
    WHERE id = '{name}' AND finished_at IS NULL RETURNING 1::bigint";
const RERUN: &str = "SELECT {schema}.rerun_from('old', '{name}', {now}, 0)::int::bigint";
const PURGE: &str = "SELECT gone_runs FROM {schema}.purge_some({now} + 1, 10)";

/// A process of the third version.
struct Third<'a> {
    schema: &'a InSchema,
    worker: i64,
    run: i64,
}

impl Third<'_> {
    async fn asks(&self, sql: &str, name: &str) -> i64 {
        let sql = sql
            .replace("{now}", &at(0).as_millis().to_string())
            .replace("{worker}", &self.worker.to_string())
            .replace("{run}", &self.run.to_string())
            .replace("{name}", name);
        ask(self.schema.sql(&sql)).await
    }
}

/// The tables of the third version are migrated while a run of its is driven, and waits: that goes on as before, beside runs that have
/// a parent, which it can drive and end as well.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn version_before_drives_and_ends_runs_that_have_a_parent() -> belts::Result<()> {
    let schema = InSchema::new();
    make(&schema, &[&FIRST[..], &SECOND, &THIRD].concat(), 3).await;
    run(schema.sql("UPDATE {schema}.schema_version SET oldest = 2")).await;
    let mut old = Third {
        schema: &schema,
        worker: 0,
        run: 0,
    };
    old.worker = old.asks(REGISTER, "").await;
    old.run = old.asks(PUBLISH_ONE, "").await;
    assert_eq!(old.asks(WAIT, "").await, 0);
    // From here on there is this version as well.
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    assert_eq!(old.asks(SUSPEND, "").await, 0);
    publish(&store, paid("paid")).await?;
    let waits = store.run("old-run").await?.expect("it is there");
    assert!(waits.due_at.is_some() && waits.parent.is_none());
    assert_eq!(
        old.asks(CLAIM, "old-run").await,
        1110,
        "with what has arrived"
    );
    assert_eq!(old.asks(CANCEL, "old-run").await, 1);
    assert_eq!(old.asks(RERUN, "old-run").await, 1);
    assert_eq!(old.asks(CANCEL, "old-run").await, 1);

    let parent = begin(&store, worker, "p").await?;
    calls(&store, &parent, &["c"]).await?;
    assert_eq!(
        old.asks(CLAIM, "c").await,
        1000,
        "and nothing that it does not know"
    );
    assert_eq!(old.asks(COMPLETE, "c").await, 0);
    assert_eq!(old.asks(RERUN, "c").await, 1);
    assert!(told(&store, worker).await?.is_empty(), "it is taken back");
    assert_eq!(old.asks(CLAIM, "c").await, 0, "it is driven");
    assert_eq!(old.asks(CANCEL, "c").await, 1);
    let said = r#"{"status":"cancelled","result":null}"#;
    assert_eq!(told(&store, worker).await?, [said]);
    assert_eq!(old.asks(CANCEL, &parent.run_id).await, 1);
    let status = store.run("c").await?.expect("it is there").status;
    assert_eq!(status, RunStatus::Cancelled);
    assert_eq!(old.asks(PURGE, "").await, 3);
    Ok(())
}
