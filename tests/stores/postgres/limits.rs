//! Writes that are too big, or that the server does not take: each fails for itself, and nothing else does. And limits of time.

use std::time::Duration;

use belts::{
    ErrorKind,
    store::{CommitOutcome, Entry, Limits, Register, RunStatus, Store, Subscription, Target},
};
use sqlx::Connection as _;

use super::{InSchema, ask, connect, run};
use crate::requests::{LEASE, at, begin, commit, complete, entry, event, publish, worker};

fn big(seq: u32, bytes: usize) -> Entry {
    entry(seq).with_value("()", vec![b' '; bytes])
}

/// The results of 300 steps of 4 MB each were ready at one moment. One statement of more than 1 GB was made of them, which no
/// server takes; it was sent again and again, and then all of the steps ran again.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commit_is_sent_in_parts_that_fit() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let ours = worker(&store).await?;
    let (run_id, lease) = begin(&store, "e", ours).await?;
    // Of more than one statement, and small enough for a test. That no statement is larger is counted at the server.
    let entries: Vec<Entry> = (0..36).map(|seq| big(seq, 4 * 1024 * 1024)).collect();
    let outcome = commit(&store, lease, entries, Some(complete())).await?;
    assert_eq!(outcome, CommitOutcome::Applied);
    let run = store.run(&run_id).await?.expect("it is there");
    assert_eq!(run.status, RunStatus::Completed);
    let written = "SELECT count(*) FROM {schema}.steps WHERE octet_length(value) = 4194304";
    assert_eq!(ask::<i64>(schema.sql(written)).await, 36);
    let statements = "SELECT count(DISTINCT cmin::text) FROM {schema}.steps";
    assert!(ask::<i64>(schema.sql(statements)).await >= 3);
    // It is one transaction all the same.
    let transactions = "SELECT count(DISTINCT xmin::text) FROM {schema}.steps";
    assert_eq!(ask::<i64>(schema.sql(transactions)).await, 1);
    let late = commit(
        &store,
        lease,
        (0..36).map(|seq| big(seq, 4 * 1024 * 1024)).collect(),
        None,
    );
    assert_eq!(late.await?, CommitOutcome::LeaseLost);
    Ok(())
}

/// A value that no server takes was taken for a connection that failed, and sent again for ten seconds.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn value_that_can_never_be_sent_is_too_large() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let ours = worker(&store).await?;
    let (_, lease) = begin(&store, "e", ours).await?;
    let entry = entry(0).with_value("()", vec![0; 1_000_000_001]);
    let error = commit(&store, lease, vec![entry], None)
        .await
        .expect_err("nobody can send it");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(!error.is_retryable());
    let mut long = event("long");
    long.id = "x".repeat(2_000_000).into();
    let error = publish(&store, long).await.expect_err("no index takes it");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    Ok(())
}

/// A write that a constraint refuses looked like a server that cannot be reached, so its step ran again without end or count.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_write_is_told_from_a_server_that_is_away() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let ours = worker(&store).await?;
    run(schema.sql("ALTER TABLE {schema}.steps ADD CHECK (seq <> 7)")).await;
    let (_, lease) = begin(&store, "e", ours).await?;
    let (_, other) = begin(&store, "other", ours).await?;
    let (refused, written) = tokio::join!(
        commit(&store, lease, vec![entry(7)], None),
        commit(&store, other, vec![entry(0)], None),
    );
    let refused = refused.expect_err("the table does not take it");
    assert_eq!(refused.kind(), ErrorKind::Codec);
    assert!(!refused.is_retryable());
    assert_eq!(
        written?,
        CommitOutcome::Applied,
        "the other is not to blame"
    );
    run(schema.sql("ALTER TABLE {schema}.steps RENAME TO elsewhere")).await;
    let error = commit(&store, lease, vec![entry(1)], None)
        .await
        .expect_err("no table");
    assert_eq!(error.kind(), ErrorKind::Store);
    Ok(())
}

/// Who begins to await something locks the version of the subscriptions and then runs. `forget` locked the runs first, and of the two one
/// failed.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_forgotten_before_runs_are_locked() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let limits = Limits::new("f").with_start_within(Duration::from_secs(1));
    let register = Register::new(at(0), LEASE)
        .with_subscriptions(vec![Subscription::new("f", [""; 0])])
        .with_limits(vec![limits]);
    let ours = store.register(register).await?;
    let event = event("e").with_target(Target::function("f", None));
    let waits = publish(&store, event).await?.runs.remove(0).run_id;
    store.deregister(ours, at(0)).await?;
    let mut other = connect().await;
    let mut held = other.begin().await.expect("the server is there");
    let version = schema.sql("SELECT version FROM {schema}.subscriptions_version FOR UPDATE");
    let locked = sqlx::query(version).execute(&mut *held).await;
    locked.expect("nobody else has it");
    let forgets = {
        let store = store.clone();
        tokio::spawn(async move { store.forget("f", at(0), 10).await })
    };
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE '%{schema}%forget%' AND pid <> pg_backend_pid()";
    while ask::<i64>(schema.sql(waiting)).await == 0 {
        assert!(!forgets.is_finished(), "it waits for the version");
    }
    let runs = schema.sql("SELECT FROM {schema}.runs FOR UPDATE NOWAIT");
    let free = sqlx::query(runs).execute(&mut *held).await;
    assert_eq!(free.expect("they are free").rows_affected(), 1);
    held.commit().await.expect("the server is there");
    let forgotten = forgets.await.expect("it does not panic")?;
    assert_eq!(forgotten.runs, 1);
    let run = store.run(&waits).await?.expect("it is there");
    assert_eq!(run.status, RunStatus::Cancelled);
    assert_eq!(
        ask::<i64>(schema.sql("SELECT count(*) FROM {schema}.limits")).await,
        0
    );
    Ok(())
}
