//! Runs that have something to undo: what is decided, who hears of it, and how they end.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, at, entry, ok},
    limits::{FINISH, limits},
};
use crate::{
    error::Result,
    store::{
        ClaimedRun, CommitOutcome, Entry, Rerun, RunFilter, RunStatus, StepKind, StepState,
        Transition, Undoing, WorkerId,
    },
};

/// An entry that can be undone.
pub(super) fn undoable(seq: u32) -> Entry {
    entry(seq, &format!("step-{seq}"), "1").with_undoable(true)
}

/// What undoes it.
pub(super) fn undo(seq: u32, of: u32) -> Entry {
    let path = format!("undo:step-{of}");
    Entry::new(seq, path, StepKind::Undo, StepState::Completed, at(3))
        .with_value("", ok("null"))
        .with_attempts(1)
        .with_finished_at(at(3))
}

pub(super) fn fail() -> Transition {
    Transition::fail(2, ok("\"why\""))
}

impl Client {
    /// A run that has recorded something to undo.
    pub(super) async fn armed(&self, worker: WorkerId, id: &str) -> Result<ClaimedRun> {
        let run = self.start(id, "f").await?;
        let claimed = self.take_named(worker, &["f", "g"], &run, at(0)).await?;
        let claimed = claimed.expect("a new run can be claimed");
        self.must_write(claimed.lease, vec![undoable(0)], None, at(1))
            .await?;
        Ok(claimed)
    }

    pub(super) async fn claim_undoing(
        &self,
        worker: WorkerId,
        id: &str,
    ) -> Result<(ClaimedRun, Undoing)> {
        let claimed = self
            .take_named(worker, &["f", "g"], &id.into(), at(5))
            .await?;
        let claimed = claimed.expect("it is due");
        let undoing = claimed.undoing.clone().expect("it is decided");
        Ok((claimed, undoing))
    }
}

pub(super) async fn undoable_entries_come_back(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.armed(worker, "e").await?;
    store
        .must_write(
            run.lease,
            vec![entry(1, "plain", "1"), undo(2, 0)],
            None,
            at(1),
        )
        .await?;
    let journal = store.journal(&run.run_id).await?;
    assert_eq!(journal, [undoable(0), entry(1, "plain", "1"), undo(2, 0)]);
    Ok(())
}

pub(super) async fn failed_run_is_undone_first(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    let armed = store.armed(worker, "e-1").await?;
    store
        .must_write(armed.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    let at_once = store.start("e-2", "f").await?;
    let at_once = store.take_named(worker, &["f"], &at_once, at(0)).await?;
    let at_once = at_once.expect("a new run can be claimed");
    // What can be undone comes with the end itself.
    store
        .must_write(at_once.lease, vec![undoable(0)], Some(fail()), at(2))
        .await?;
    for run in [&armed, &at_once] {
        let record = other.record(&run.run_id).await?;
        let about = (record.status, record.finished_at, record.failed_attempts);
        assert_eq!(about, (RunStatus::Undoing, None, 2));
        assert!(record.due_at.is_some_and(|due_at| due_at <= at(2)));
        let late = store
            .write(run.lease, vec![entry(1, "late", "1")], None, at(2))
            .await?;
        assert_eq!(late, CommitOutcome::LeaseLost);
    }
    assert_eq!(other.take(worker, &["f"], at(3)).await?.runs.len(), 2);
    Ok(())
}

pub(super) async fn cancelled_run_is_undone_first(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store
        .limited(&["f", "g"], &[limits("f", None, FINISH)])
        .await?;
    for id in ["driven", "rests", "over"] {
        let run = store.armed(worker, id).await?;
        if id != "driven" {
            let rests = Some(Transition::suspend(at(90_000)));
            store
                .must_write(run.lease, Vec::new(), rests, at(1))
                .await?;
        }
        if id == "over" {
            assert_eq!(
                store.expire_all(at(2 * FINISH)).await?.runs,
                [Arc::clone(&run.run_id)]
            );
        } else {
            assert!(store.cancel(&run.run_id, at(2)).await?);
        }
        assert_eq!(store.revoked(&[run.lease]).await?, [run.lease]);
        assert_eq!(store.status_of(&run.run_id).await?, RunStatus::Undoing);
        let (_, undoing) = store.claim_undoing(worker, &run.run_id).await?;
        assert_eq!(undoing.status, RunStatus::Cancelled);
        assert_eq!(undoing.error.is_some(), id == "over", "{id}");
        assert_eq!(store.status_of(&run.run_id).await?, RunStatus::Undoing);
    }
    Ok(())
}

pub(super) async fn run_without_undoables_ends_at_once(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let claimed = store.take_one(worker, &["f"], at(0)).await?;
    assert_eq!(claimed.undoing, None);
    store
        .must_write(
            claimed.lease,
            vec![entry(0, "plain", "1")],
            Some(fail()),
            at(2),
        )
        .await?;
    assert_eq!(store.status_of(&run).await?, RunStatus::Failed);
    // One that completes has nothing to undo any more.
    let run = store.armed(worker, "e-2").await?;
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(run.lease, Vec::new(), complete, at(2))
        .await?;
    assert_eq!(store.status_of(&run.run_id).await?, RunStatus::Completed);
    Ok(())
}

pub(super) async fn what_was_decided_stands(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store
        .limited(&["f", "g"], &[limits("f", None, FINISH)])
        .await?;
    let run = store.armed(worker, "e").await?;
    store
        .must_write(run.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    for driven in [false, true] {
        let lease = if driven {
            Some(store.claim_undoing(worker, &run.run_id).await?.0.lease)
        } else {
            None
        };
        assert!(!other.cancel(&run.run_id, at(3)).await?);
        assert!(other.expire_all(at(2 * FINISH)).await?.runs.is_empty());
        assert!(
            !other
                .rerun(Rerun::new(Arc::clone(&run.run_id), at(3)))
                .await?
        );
        assert_eq!(store.status_of(&run.run_id).await?, RunStatus::Undoing);
        if let Some(lease) = lease {
            assert!(store.revoked(&[lease]).await?.is_empty());
            let later = Some(Transition::put_off(at(4)));
            store
                .must_write(lease, vec![undo(1, 0)], later, at(3))
                .await?;
        }
    }
    let (_, undoing) = store.claim_undoing(worker, &run.run_id).await?;
    assert_eq!(
        undoing,
        Undoing::new(RunStatus::Failed, Some(ok("\"why\"")))
    );
    Ok(())
}

pub(super) async fn undone_run_ends_as_decided(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store
        .limited(&["f", "g"], &[limits("f", None, FINISH)])
        .await?;
    let failed = store.armed(worker, "e-1").await?;
    let cancelled = store.armed(worker, "e-2").await?;
    let by = store.record(&failed.run_id).await?.finish_by;
    assert!(by.is_some());
    store
        .must_write(failed.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    store.cancel(&cancelled.run_id, at(2)).await?;
    for (run, status) in [
        (failed, RunStatus::Failed),
        (cancelled, RunStatus::Cancelled),
    ] {
        let (claimed, undoing) = store.claim_undoing(worker, &run.run_id).await?;
        let undone = Some(Transition::undone(&undoing));
        store
            .must_write(claimed.lease, vec![undo(1, 0)], undone, at(6))
            .await?;
        let record = store.record(&run.run_id).await?;
        let about = (
            record.status,
            record.finished_at,
            record.due_at,
            record.finish_by,
        );
        assert_eq!(about, (status, Some(at(6)), None, by));
        let why = (status == RunStatus::Failed).then(|| ok("\"why\""));
        assert_eq!(record.result, why);
        assert!(!store.cancel(&run.run_id, at(7)).await?);
        assert!(store.expire_all(at(2 * FINISH)).await?.runs.is_empty());
    }
    assert_eq!(store.purge(at(9), 10).await?.runs, 2);
    Ok(())
}

pub(super) async fn undoing_run_is_listed_as_such(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.armed(worker, "e-1").await?;
    let other = store.armed(worker, "e-2").await?;
    store
        .must_write(run.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    let rests = Some(Transition::suspend(at(90_000)));
    store
        .must_write(other.lease, Vec::new(), rests, at(2))
        .await?;
    for claimed in [false, true] {
        if claimed {
            store.claim_undoing(worker, &run.run_id).await?;
        }
        for (status, expected) in [(RunStatus::Undoing, &run), (RunStatus::Suspended, &other)] {
            let filter = RunFilter::new().with_statuses([status]);
            let page = store.list(filter).await?;
            let found: Vec<_> = page.runs.iter().map(|run| &run.run_id).collect();
            assert_eq!(found, [&expected.run_id], "{status}");
        }
    }
    Ok(())
}
