//! What the server reads for the lists of a dashboard, of which few runs are wanted among many.

use std::time::Duration;

use belts::store::{
    Commit, CommitBatch, Lease, Postgres, PostgresBuilder, Publish, RunFilter, RunStatus, Store,
    Tag, Transition,
};
use tokio::time::Instant;

use super::{InSchema, ask, blocking, run};
use crate::requests::{at, capacity, complete, event, fail, worker};

const RUNS: usize = 4_000;
/// How many runs a list may look at.
const LOOKS: usize = 100;
/// What a list reads at most: where it stops, the runs until there, and what it finds.
const MOST: i64 = 400;

/// A store whose connections have the name of the schema.
fn named(schema: &InSchema) -> PostgresBuilder {
    let url = format!("{}?application_name={}", super::url(), schema.0);
    Postgres::builder(&url).schema(&schema.0)
}

/// Many runs that completed, with some between them that failed. The statistics are of then, or of when all were in hand.
async fn fill(schema: &InSchema, analyze: bool) -> belts::Result<()> {
    let store = named(schema).open().await?;
    for table in ["runs", "events", "tags"] {
        let off = format!("ALTER TABLE {{schema}}.{table} SET (autovacuum_enabled = off)");
        run(schema.sql(&off)).await;
    }
    let ours = worker(&store).await?;
    let events = (0..RUNS).map(|number| event(&format!("e-{number}")));
    let publish = Publish::new(events.collect(), at(0)).with_claim(Some(capacity(ours)));
    let published = store.publish(publish).await?;
    let leases: Vec<Lease> = published
        .iter()
        .filter_map(|event| event.runs[0].lease)
        .collect();
    assert_eq!(leases.len(), RUNS);
    run(schema.sql("ANALYZE {schema}.runs, {schema}.events, {schema}.tags")).await;
    let ends = |place: usize| -> Transition {
        if place.is_multiple_of(100) {
            fail()
        } else {
            complete()
        }
    };
    for (part, leases) in leases.chunks(500).enumerate() {
        let commit = |(place, lease): (usize, &Lease)| {
            Commit::new(*lease).with_transition(Some(ends(part * 500 + place)))
        };
        let commits = leases.iter().enumerate().map(commit).collect();
        store.commit(CommitBatch::new(commits, at(1))).await?;
    }
    run(schema.sql(MANY)).await;
    // Without what the indexes still have of the time when the runs were in hand.
    let vacuum =
        format!("VACUUM (ANALYZE {analyze}) {{schema}}.runs, {{schema}}.events, {{schema}}.tags");
    run(schema.sql(&vacuum)).await;
    Ok(())
}

/// As many more that completed as the planner takes for many.
const MANY: &str = "
    WITH more AS (
        INSERT INTO {schema}.events (published_at, ticket, idle, id, event_type, payload)
        SELECT 0, 1, false, 'more-' || number, 'x', '{}' FROM generate_series(1, 30000) AS number RETURNING number)
    INSERT INTO {schema}.runs (number, token, id, function_id, status, started_at, finished_at)
    SELECT number << 16, 1, 'more-' || number, 'f', 'completed', 1, 1 FROM more";

/// Returns when no connection of a store is left: each tells what it has read when it ends.
async fn closed(schema: &InSchema) {
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{schema}'";
    let start = Instant::now();
    while ask::<i64>(schema.sql(left)).await > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "connections end");
    }
}

/// How many runs were read, by any index or without one.
async fn read(schema: &InSchema) -> i64 {
    closed(schema).await;
    let sql = "SELECT (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE schemaname = '{schema}' AND relname = 'runs')
        + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE schemaname = '{schema}' AND relname = 'runs')";
    ask(schema.sql(sql)).await
}

fn filter(statuses: &[RunStatus], function: Option<&str>) -> RunFilter {
    let mut filter = RunFilter::default();
    filter.statuses = statuses.to_vec();
    filter.function_id = function.map(Into::into);
    filter.limit = 50;
    filter.looks = LOOKS;
    filter
}

/// A list read the whole table where few runs matched, and the page came after seconds.
fn reads_few_runs(analyze: bool) {
    let schema = InSchema::new();
    blocking(fill(&schema, analyze)).expect("the runs end");
    let mut of_nobody = filter(&[], None);
    of_nobody.parent = Some("nobody".into());
    let mut tagged = filter(&[], None);
    tagged.tags = vec![Tag::new("customer", "nobody")];
    let of_event = |id: &str| {
        let mut filter = filter(&[], None);
        filter.event_id = Some(id.into());
        filter
    };
    for (name, filter, found) in [
        ("all", filter(&[], None), 50),
        ("of a function that has none", filter(&[], Some("g")), 0),
        ("failed", filter(&[RunStatus::Failed], None), 40),
        (
            "failed of one function",
            filter(&[RunStatus::Failed], Some("f")),
            40,
        ),
        ("not over", filter(&RunStatus::UNFINISHED, None), 0),
        ("running", filter(&[RunStatus::Running], Some("f")), 0),
        ("children", of_nobody, 0),
        ("tagged", tagged, 0),
        ("of an event", of_event("e-7"), 1),
        ("of an event that is not there", of_event("nothing"), 0),
    ] {
        let before = blocking(read(&schema));
        let page = blocking(async {
            let store = named(&schema).open().await?;
            store.list(filter).await
        })
        .expect("a page");
        assert_eq!(page.runs.len(), found, "{name}");
        let read = blocking(read(&schema)) - before;
        assert!(read < MOST, "{name}: {read} runs were read");
    }
    let before = blocking(read(&schema));
    let ended = blocking(async { named(&schema).open().await?.ended(at(0), LOOKS).await });
    let groups = ended.expect("an answer").expect("it can tell").groups;
    assert_eq!(groups.iter().map(|group| group.runs).sum::<usize>(), LOOKS);
    let read = blocking(read(&schema)) - before;
    assert!(
        read < MOST,
        "{read} runs were read to count those that ended"
    );
}

#[test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
fn no_list_reads_all_runs() {
    reads_few_runs(true);
}

#[test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
fn no_list_reads_all_runs_with_statistics_of_a_time_when_none_was_over() {
    reads_few_runs(false);
}
