//! What the server reads for the calls of a worker, where its statistics are from another time.

use std::time::Duration;

use belts::store::{After, Commit, CommitBatch, CommitOutcome, Lease, Publish, Store, WorkerId};
use tokio::time::Instant;

use super::{InSchema, ask, blocking, run};
use crate::requests::{LEASE, at, begin, capacity, commit, entry, event, paid, waiting, worker};

const RUNS: usize = 2_000;

/// Publishes as many runs as a busy worker holds, with statistics from before; answers with their leases.
async fn fill(schema: &InSchema, waits: bool) -> belts::Result<(WorkerId, Vec<Lease>)> {
    let store = schema.builder().open().await?;
    let ours = worker(&store).await?;
    for table in ["runs", "steps", "events"] {
        let off = format!("ALTER TABLE {{schema}}.{table} SET (autovacuum_enabled = off)");
        run(schema.sql(&off)).await;
    }
    let publish = async |kind: &str, claim| {
        let events = (0..RUNS).map(|number| event(&format!("{kind}-{number}")));
        let request = Publish::new(events.collect(), at(0)).with_claim(claim);
        store.publish(request).await
    };
    if waits {
        publish("waiting", None).await?;
    }
    run(schema.sql("ANALYZE {schema}.runs, {schema}.steps, {schema}.events")).await;
    let published = publish("leased", Some(capacity(ours))).await?;
    let leases = published.iter().filter_map(|event| event.runs[0].lease);
    Ok((ours, leases.collect()))
}

/// All that a worker asks for that is about some of its runs, by a process that makes its plans now.
async fn work(schema: &InSchema, worker: WorkerId, leases: &[Lease]) -> belts::Result<()> {
    let store = schema.builder().open().await?;
    let commits = |leases: &[Lease]| {
        CommitBatch::new(
            leases
                .iter()
                .map(|lease| Commit::new(*lease).with_entries(vec![entry(0)]))
                .collect(),
            at(1),
        )
    };
    // Many at once, and single steps.
    for leases in std::iter::once(&leases[..64]).chain(leases[64..96].chunks(1)) {
        let outcomes = store.commit(commits(leases)).await?;
        let applied = outcomes.iter().all(|one| *one == CommitOutcome::Applied);
        assert!(applied, "the leases stand");
    }
    assert!(store.revoked(&leases[..64]).await?.is_empty());
    store.renew(worker, at(1), LEASE).await
}

/// Returns when no connection of a store is left: each tells what it has read when it ends.
async fn closed(schema: &InSchema) {
    let left = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%{schema}%'";
    let start = Instant::now();
    while ask::<i64>(schema.sql(left)).await > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "connections end");
    }
}

/// How many rows of runs were read by the index of leases, or without any.
async fn read(schema: &InSchema) -> i64 {
    let sql = "SELECT (SELECT idx_tup_read FROM pg_stat_user_indexes
            WHERE schemaname = '{schema}' AND indexrelname = 'runs_worker')
        + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE schemaname = '{schema}' AND relname = 'runs')";
    ask(schema.sql(sql)).await
}

/// A commit looked for its run by `number = … AND worker + 0 = …`. That proves to the planner that the worker is not NULL, and
/// with statistics from when no run was leased it read all leased runs for each that it locked: 13.9 ms instead of 0.23.
fn reads_no_runs_of_others(waits: bool) {
    let schema = InSchema::new();
    let (worker, leases) = blocking(fill(&schema, waits)).expect("the first process works");
    assert_eq!(leases.len(), RUNS);
    let before = blocking(async {
        closed(&schema).await;
        read(&schema).await
    });
    blocking(work(&schema, worker, &leases)).expect("the second process works");
    let after = blocking(async {
        closed(&schema).await;
        read(&schema).await
    });
    let read = after - before;
    assert!(read < 200, "{read} rows of other runs were read");
}

#[test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
fn calls_read_no_runs_of_others_with_statistics_of_a_time_without_leases() {
    reads_no_runs_of_others(true);
}

#[test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
fn calls_read_no_runs_of_others_with_statistics_of_empty_tables() {
    reads_no_runs_of_others(false);
}

/// A run waits since a time, and before that two thousand events came of the type and key.
async fn wait_in_a_long_lane(schema: &InSchema) -> belts::Result<()> {
    let store = schema.builder().open().await?;
    let ours = worker(&store).await?;
    let (_, lease) = begin(&store, "e", ours).await?;
    commit(&store, lease, vec![waiting(0, After::Start)], None).await?;
    let events = (0..RUNS).map(|number| paid(&format!("p-{number}")));
    store.publish(Publish::new(events.collect(), at(0))).await?;
    closed_soon(store, schema).await;
    let before = in_lanes(schema).await;
    let store = schema.builder().open().await?;
    let later = After::Time(at(100_000));
    let waits = (1..=10).map(|seq| waiting(seq, later)).collect();
    commit(&store, lease, waits, None).await?;
    closed_soon(store, schema).await;
    let read = in_lanes(schema).await - before;
    assert!(read < 200, "{read} events were read");
    Ok(())
}

async fn closed_soon(store: belts::store::Postgres, schema: &InSchema) {
    drop(store);
    closed(schema).await;
}

/// How many entries of lanes were read.
async fn in_lanes(schema: &InSchema) -> i64 {
    let sql = "SELECT idx_tup_read FROM pg_stat_user_indexes
        WHERE schemaname = '{schema}' AND indexrelname = 'events_placed'";
    ask(schema.sql(sql)).await
}

/// Each wait that begins at a time looked at all events of its type and key, from the first on.
#[tokio::test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn wait_that_begins_at_a_time_does_not_look_at_what_was_long_before() -> belts::Result<()> {
    wait_in_a_long_lane(&InSchema::new()).await
}

/// Where no run has limits of time, there is nothing to be read of any.
#[test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
fn a_look_for_runs_whose_time_is_over_reads_none_of_the_others() {
    let schema = InSchema::new();
    blocking(fill(&schema, true)).expect("the first process works");
    let before = blocking(async {
        closed(&schema).await;
        read(&schema).await
    });
    blocking(async {
        let store = schema.builder().open().await?;
        let expired = store.expire(at(1), 100).await?;
        assert_eq!((expired.runs.len(), expired.next), (0, None));
        Ok::<_, belts::Error>(())
    })
    .expect("the second process works");
    let after = blocking(async {
        closed(&schema).await;
        read(&schema).await
    });
    assert_eq!(after, before, "rows of other runs were read");
}
