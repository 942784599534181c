//! Inspecting and changing runs.

use std::sync::Arc;

use super::bench::{Bench, at, entry, event, ok};
use crate::{
    error::Result,
    store::{CommitOutcome, Entry, Note, Rerun, RunStatus, StepState, Timestamp, Transition},
};

pub(super) fn complete() -> Transition {
    Transition::complete(ok("1"))
}

pub(super) fn fail() -> Transition {
    Transition::fail(4, ok("\"why\""))
}

pub(super) async fn run_record_tracks_the_run(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut delayed = event("e", "f");
    delayed.due_at = at(100);
    let run = Arc::clone(&store.publish_all(vec![delayed], at(1)).await?[0].runs[0].run_id);
    let pending = store.record(&run).await?;
    assert_eq!(
        (pending.status, pending.due_at),
        (RunStatus::Pending, Some(at(100)))
    );
    assert_eq!(
        (pending.created_at, pending.started_at, pending.finished_at),
        (at(1), None, None)
    );
    assert_eq!((pending.failed_attempts, pending.result), (0, None));
    let lease = store.take_one(worker, &["f"], at(101)).await?.lease;
    let running = store.record(&run).await?;
    assert_eq!(
        (running.status, running.due_at, running.started_at),
        (RunStatus::Running, None, Some(at(101)))
    );
    store
        .must_write(lease, Vec::new(), Some(complete()), at(102))
        .await?;
    let completed = store.record(&run).await?;
    assert_eq!(
        (completed.status, completed.due_at),
        (RunStatus::Completed, None)
    );
    assert_eq!(
        (completed.started_at, completed.finished_at),
        (Some(at(101)), Some(at(102)))
    );
    Ok(())
}

pub(super) async fn cancel_ends_the_lease(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let lease = store.take_one(worker, &["f"], at(0)).await?.lease;
    assert!(other.cancel(&run, at(5)).await?);
    let late = store
        .write(lease, vec![entry(0, "late", "1")], Some(complete()), at(6))
        .await?;
    assert_eq!(late, CommitOutcome::LeaseLost);
    let record = store.record(&run).await?;
    assert_eq!(
        (record.status, record.finished_at),
        (RunStatus::Cancelled, Some(at(5)))
    );
    assert!(
        store
            .take(worker, &["f"], at(29_999))
            .await?
            .runs
            .is_empty()
    );
    // The end of the worker does not bring it back either.
    store.deregister(worker, at(7)).await?;
    assert_eq!(store.record(&run).await?.status, RunStatus::Cancelled);
    Ok(())
}

pub(super) async fn cancel_leaves_finished_runs_alone(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut sleeping = event("e-1", "f");
    sleeping.due_at = at(1_000);
    let sleeping = Arc::clone(&store.publish_all(vec![sleeping], at(0)).await?[0].runs[0].run_id);
    assert!(
        store.cancel(&sleeping, at(1)).await?,
        "a waiting run is cancelled"
    );
    assert!(!store.cancel(&sleeping, at(2)).await?, "once");
    assert!(store.take(worker, &["f"], at(2_000)).await?.runs.is_empty());
    assert_eq!(store.record(&sleeping).await?.finished_at, Some(at(1)));
    let done = store.start("e-2", "f").await?;
    let lease = store.take_one(worker, &["f"], at(2_000)).await?.lease;
    store
        .must_write(lease, Vec::new(), Some(complete()), at(2_001))
        .await?;
    assert!(!store.cancel(&done, at(2_002)).await?);
    assert_eq!(store.record(&done).await?.status, RunStatus::Completed);
    Ok(())
}

fn from(run: &str, seq: u32, now: Timestamp) -> Rerun {
    Rerun::new(run, now).with_from(seq)
}

pub(super) async fn rerun_keeps_recorded_steps(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let first = store.take_one(worker, &["f"], at(3)).await?.lease;
    let failed = Entry {
        state: StepState::Failed,
        ..entry(1, "bad", "0")
    };
    let waiting = Entry {
        state: StepState::Waiting,
        due_at: Some(at(50)),
        ..entry(2, "waits", "0")
    };
    let entries = vec![entry(0, "good", "1"), failed, waiting.clone()];
    store
        .must_write(first, entries, Some(fail()), at(4))
        .await?;
    assert!(store.rerun(Rerun::new(&*run, at(10))).await?);
    let record = store.record(&run).await?;
    assert!(!record.status.is_finished());
    assert_eq!(
        (record.due_at, record.finished_at, record.result),
        (Some(at(10)), None, None)
    );
    let again = store.take_one(worker, &["f"], at(10)).await?;
    assert_eq!(
        again.journal,
        [entry(0, "good", "1"), waiting],
        "the failed entry is dropped, the others stay"
    );
    assert_eq!((again.failed_attempts, again.started_at), (0, at(3)));
    assert!(again.lease.token > first.token);
    store
        .must_write(again.lease, Vec::new(), Some(complete()), at(11))
        .await?;
    assert_eq!(store.record(&run).await?.status, RunStatus::Completed);
    Ok(())
}

pub(super) async fn rerun_from_drops_later_entries(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let (run, other) = (
        store.start("e", "f").await?,
        store.start("other", "f").await?,
    );
    let entries = || {
        let failed = Entry {
            state: StepState::Failed,
            ..entry(1, "bad", "0")
        };
        // There may be gaps.
        let ends = [entry(4, "c", "4"), entry(5, "d", "5")];
        [
            vec![entry(0, "a", "1"), failed, entry(2, "b", "3")],
            ends.into(),
        ]
        .concat()
    };
    for claimed in store.take(worker, &["f"], at(3)).await?.runs {
        assert!(
            !store.rerun(from(&claimed.run_id, 0, at(3))).await?,
            "it is running"
        );
        store
            .must_write(claimed.lease, entries(), Some(fail()), at(4))
            .await?;
    }
    assert!(store.rerun(from(&run, 4, at(10))).await?);
    assert!(
        !store.rerun(from(&run, 0, at(11))).await?,
        "it is due already"
    );
    let again = store.take_one(worker, &["f"], at(11)).await?;
    assert_eq!((&again.run_id, again.failed_attempts), (&run, 0));
    assert_eq!(
        again.journal,
        [entry(0, "a", "1"), entry(2, "b", "3")],
        "what failed earlier is dropped too"
    );
    store
        .must_write(
            again.lease,
            vec![entry(3, "c", "new")],
            Some(fail()),
            at(12),
        )
        .await?;
    assert!(
        store.rerun(from(&run, 0, at(13))).await?,
        "everything may go"
    );
    assert!(store.journal(&run).await?.is_empty());
    assert_eq!(store.journal(&other).await?, entries(), "of no other run");
    Ok(())
}

pub(super) async fn rerun_leaves_other_runs_alone(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    assert!(
        !store.rerun(Rerun::new(&*run, at(1))).await?,
        "it is pending"
    );
    let lease = store.take_one(worker, &["f"], at(1)).await?.lease;
    assert!(
        !store.rerun(Rerun::new(&*run, at(2))).await?,
        "it is running"
    );
    store.must_write(lease, Vec::new(), None, at(2)).await?;
    assert!(store.cancel(&run, at(3)).await?);
    assert!(
        store.rerun(Rerun::new(&*run, at(4))).await?,
        "it was cancelled"
    );
    let lease = store.take_one(worker, &["f"], at(4)).await?.lease;
    store
        .must_write(lease, Vec::new(), Some(complete()), at(5))
        .await?;
    assert!(
        !store.rerun(Rerun::new(&*run, at(6))).await?,
        "it is completed"
    );
    Ok(())
}

pub(super) async fn unknown_run_is_no_error(bench: Bench) -> Result<()> {
    let store = &bench.store;
    assert!(store.run("nobody").await?.is_none());
    assert!(store.journal("nobody").await?.is_empty());
    assert!(!store.cancel("nobody", at(0)).await?);
    assert!(!store.rerun(Rerun::new("nobody", at(0))).await?);
    assert_eq!(store.purge(at(0), 10).await?.runs, 0);
    Ok(())
}

pub(super) async fn notes_are_kept(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    assert!(store.record(&run).await?.notes.is_empty());
    let by = "ada \u{1b}[31m\"quoted\"";
    let note = |number: i64| Note::new(at(number), by, format!("rerun {number}"));
    assert!(!store.note("no such run", note(0)).await?);
    for number in 0..53 {
        assert!(store.note(&run, note(number)).await?);
    }
    let kept = store.record(&run).await?.notes;
    assert_eq!(kept, (3..53).map(note).collect::<Vec<_>>());
    Ok(())
}
