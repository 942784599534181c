//! Runs that are gone, or end, while others look for them; and calls that wait again.

use std::sync::Arc;

use belts::store::{Commit, CommitOutcome, Rerun, RunStatus, StepState, Store as _, Transition};

use super::{
    InSchema, ask,
    families::{calls, commit, family, start},
    run,
    waits::begin,
};
use crate::requests::{at, calling, claim, claim_named, fail};

/// A run that fails since it cannot be read takes along what was claimed with it.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn claim_leases_nothing_that_ends_with_what_it_sets_aside() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    calls(&store, &parent, &["c", "d"]).await?;
    run(schema.sql("DELETE FROM {schema}.events WHERE id = 'p'; UPDATE {schema}.runs SET due_at = 1 WHERE due_at IS NULL;
        UPDATE {schema}.runs SET attached = NULL WHERE id = 'd'")).await;
    let claimed = claim(&store, worker, at(1)).await?;
    assert_eq!(claimed.set_aside.len(), 1);
    let leased = claimed.runs.iter().map(|run| &*run.run_id);
    assert_eq!(leased.collect::<Vec<_>>(), ["d"]);
    let child = store.run("c").await?.expect("it is there");
    assert_eq!(child.status, RunStatus::Cancelled);
    Ok(())
}

/// Whoever starts a run that was gone never hears that it is gone, even while somebody else looks for it.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_that_is_started_is_not_told_as_gone() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let mut other = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    let witness = begin(&store, worker, "witness").await?;
    for round in 0..200 {
        let id = format!("c-{round}");
        let watches = Commit::new(witness.lease).with_watches(vec![(&*id).into()]);
        let task = tokio::spawn(async move { commit(&other, vec![watches]).await.map(|_| other) });
        let starts = Commit::new(parent.lease)
            .with_entries(vec![calling(round, &id)])
            .with_starts(vec![start(&parent, &id)]);
        commit(&store, vec![starts]).await?;
        other = task.await.expect("it does not panic")?;
        let heard = store.arrived(&[parent.lease]).await?;
        assert!(heard.is_empty(), "round {round}: {heard:?}");
    }
    Ok(())
}

/// The id of a run may have what Postgres does not take, also where a call of it waits again.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn call_of_a_run_with_any_id_is_opened_again() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    let id = "\\u0000\0\u{1}\"";
    calls(&store, &parent, &[id]).await?;
    assert!(store.cancel(id, at(1)).await?);
    let parent = claim_named(&store, worker, &parent.run_id).await?;
    assert_eq!(parent.arrivals.len(), 1);
    let mut failed = parent.journal[0].clone().with_finished_at(at(1));
    failed.state = StepState::Failed;
    let ends = Commit::new(parent.lease)
        .with_entries(vec![failed])
        .with_transition(fail());
    commit(&store, vec![ends]).await?;
    assert!(store.rerun(Rerun::new(id, at(1))).await?);
    let again = Rerun::new(Arc::clone(&parent.run_id), at(1)).with_reopen(vec![0]);
    assert!(store.rerun(again).await?);
    let again = claim_named(&store, worker, &parent.run_id).await?;
    assert!(again.arrivals.is_empty() && again.journal == parent.journal);
    assert!(store.cancel(id, at(1)).await?);
    assert_eq!(store.arrived(&[again.lease]).await?[0].1.len(), 1);
    Ok(())
}

/// A run that ends with the one above it may start another in the same write.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn run_that_ends_with_its_parent_leaves_nothing_that_it_starts() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    let starts = Commit::new(parent.lease).with_starts(vec![start(&parent, "c")]);
    commit(&store, vec![starts]).await?;
    let child = claim_named(&store, worker, "c").await?;
    let commits = vec![
        Commit::new(parent.lease).with_transition(fail()),
        Commit::new(child.lease).with_starts(vec![start(&child, "d")]),
    ];
    commit(&store, commits).await?;
    for id in ["c", "d"] {
        if let Some(record) = store.run(id).await? {
            assert_eq!(record.status, RunStatus::Cancelled, "{id}");
        }
    }
    Ok(())
}

/// Of a run that is removed nothing is told, in whichever way its commit is sent.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn skipped_run_watches_nothing() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    let skips = Commit::new(parent.lease)
        .with_watches(vec!["nobody".into()])
        .with_transition(Transition::Skip);
    let outcomes = commit(&store, vec![skips]).await?;
    assert_eq!(outcomes, [CommitOutcome::Applied]);
    let told = "SELECT count(*) FROM {schema}.events WHERE correlation_key = 'nobody'";
    assert_eq!(ask::<i64>(schema.sql(told)).await, 0);
    Ok(())
}
