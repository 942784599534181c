//! The state of a run after a worker releases it.

use std::sync::Arc;

use super::bench::{Bench, at, entry, event, ok};
use crate::{
    error::Result,
    store::{CommitOutcome, Lease, Rerun, RunRecord, RunStatus, Transition, WorkerId},
};

/// Makes a run, and releases it with one entry, which ends the lease.
async fn give_back(bench: &Bench, transition: Transition) -> Result<(WorkerId, Arc<str>)> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let lease: Lease = store.take_one(worker, &["f"], at(10)).await?.lease;
    store
        .must_write(lease, vec![entry(0, "one", "1")], Some(transition), at(20))
        .await?;
    assert_eq!(
        store
            .write(lease, vec![entry(1, "late", "1")], None, at(20))
            .await?,
        CommitOutcome::LeaseLost
    );
    Ok((worker, run))
}

/// The record must say this, and another client must read the same.
async fn says(bench: &Bench, run: &str, status: RunStatus) -> Result<RunRecord> {
    let record = bench.store.record(run).await?;
    assert_eq!(record.status, status);
    assert_eq!(record.started_at, Some(at(10)));
    assert_eq!(record.finished_at, status.is_finished().then_some(at(20)));
    assert_eq!(
        bench.store.journal(run).await?,
        [entry(0, "one", "1")],
        "the entry is in the same write"
    );
    let other = bench.another().await?.record(run).await?;
    assert_eq!(
        (other.status, &other.result, other.due_at),
        (record.status, &record.result, record.due_at)
    );
    Ok(record)
}

pub(super) async fn suspended_run_is_due_at_its_time(bench: Bench) -> Result<()> {
    let (worker, run) = give_back(&bench, Transition::suspend(at(500))).await?;
    assert_eq!(
        says(&bench, &run, RunStatus::Suspended).await?.due_at,
        Some(at(500))
    );
    let early = bench.store.take(worker, &["f"], at(499)).await?;
    assert!(early.runs.is_empty());
    assert_eq!(early.next_due, Some(at(500)));
    let claimed = bench.store.take_one(worker, &["f"], at(500)).await?;
    assert_eq!(
        (claimed.run_id, claimed.started_at, claimed.failed_attempts),
        (Arc::clone(&run), at(10), 0)
    );
    assert_eq!(
        bench.store.record(&run).await?.due_at,
        None,
        "it waits no more"
    );
    Ok(())
}

pub(super) async fn released_run_is_due_at_once(bench: Bench) -> Result<()> {
    let (_, run) = give_back(&bench, Transition::suspend(at(20))).await?;
    let other = bench.another().await?;
    let worker = other.worker(&["f"]).await?;
    assert_eq!(other.take_one(worker, &["f"], at(20)).await?.run_id, run);
    Ok(())
}

pub(super) async fn retried_run_counts_its_failures(bench: Bench) -> Result<()> {
    let retry = Transition::retry(at(900), 3, ok("\"why\""));
    let (worker, run) = give_back(&bench, retry).await?;
    let record = says(&bench, &run, RunStatus::Suspended).await?;
    assert_eq!(
        (record.failed_attempts, record.result),
        (3, Some(ok("\"why\"")))
    );
    assert_eq!(record.due_at, Some(at(900)));
    let claimed = bench.store.take_one(worker, &["f"], at(900)).await?;
    assert_eq!(claimed.failed_attempts, 3);
    let complete = Some(Transition::complete(ok("7")));
    bench
        .store
        .must_write(claimed.lease, Vec::new(), complete, at(901))
        .await?;
    let record = bench.store.record(&run).await?;
    assert_eq!(
        (record.failed_attempts, record.result),
        (3, Some(ok("7"))),
        "the output replaces the failure"
    );
    Ok(())
}

pub(super) async fn completed_run_keeps_its_output(bench: Bench) -> Result<()> {
    let (worker, run) = give_back(&bench, Transition::complete(ok("null"))).await?;
    let record = says(&bench, &run, RunStatus::Completed).await?;
    assert_eq!((record.result, record.due_at), (Some(ok("null")), None));
    let claimed = bench.store.take(worker, &["f"], at(29_999)).await?;
    assert!(claimed.runs.is_empty());
    assert_eq!(claimed.next_due, None);
    Ok(())
}

pub(super) async fn failed_run_keeps_its_failure(bench: Bench) -> Result<()> {
    let fail = Transition::fail(4, ok("\"why\""));
    let (worker, run) = give_back(&bench, fail).await?;
    let record = says(&bench, &run, RunStatus::Failed).await?;
    assert_eq!(
        (record.failed_attempts, record.result),
        (4, Some(ok("\"why\"")))
    );
    assert!(
        bench
            .store
            .take(worker, &["f"], at(29_999))
            .await?
            .runs
            .is_empty()
    );
    Ok(())
}

pub(super) async fn cancelled_run_keeps_its_cause(bench: Bench) -> Result<()> {
    let (worker, run) = give_back(&bench, Transition::cancel(ok("\"why\""))).await?;
    let store = &bench.store;
    let record = says(&bench, &run, RunStatus::Cancelled).await?;
    assert_eq!((record.result, record.due_at), (Some(ok("\"why\"")), None));
    let is_claimed = |claimed: Option<_>| assert!(claimed.is_none(), "it has finished");
    is_claimed(store.take_named(worker, &["f"], &run, at(29_998)).await?);
    assert!(!store.cancel(&run, at(29_998)).await?, "it has finished");
    assert!(store.rerun(Rerun::new(&*run, at(29_999))).await?);
    assert_eq!(store.record(&run).await?.result, None);
    let claimed = store.take_one(worker, &["f"], at(29_999)).await?;
    assert_eq!(claimed.journal, [entry(0, "one", "1")]);
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(claimed.lease, Vec::new(), complete, at(29_999))
        .await
}

pub(super) async fn stopped_run_is_claimed_by_name_only(bench: Bench) -> Result<()> {
    let (worker, run) = give_back(&bench, Transition::Stop).await?;
    assert_eq!(says(&bench, &run, RunStatus::Stopped).await?.due_at, None);
    let claimed = bench.store.take(worker, &["f"], at(29_999)).await?;
    assert!(claimed.runs.is_empty() && claimed.next_due.is_none());
    assert_eq!(
        bench.store.purge(at(1_000_000), 10).await?.runs,
        0,
        "it has not finished"
    );
    let claimed = bench
        .store
        .take_named(worker, &["f"], &run, at(29_999))
        .await?
        .expect("it is asked for by name");
    assert_eq!(claimed.journal, [entry(0, "one", "1")]);
    let complete = Some(Transition::complete(ok("1")));
    bench
        .store
        .must_write(claimed.lease, Vec::new(), complete, at(29_999))
        .await
}

pub(super) async fn skipped_run_is_removed(bench: Bench) -> Result<()> {
    let (_, run) = give_back(&bench, Transition::Skip).await?;
    let store = &bench.store;
    assert!(store.run(&run).await?.is_none());
    assert!(store.journal(&run).await?.is_empty());
    let again = store.publish_all(vec![event("e", "f")], at(30)).await?;
    assert!(again[0].duplicate, "the event is known");
    assert!(again[0].runs.is_empty(), "without the run that was removed");
    store.purge(at(1), 10).await?;
    let again = store.publish_all(vec![event("e", "f")], at(40)).await?;
    assert!(
        !again[0].duplicate,
        "no run needed the event, so it was purged"
    );
    Ok(())
}
