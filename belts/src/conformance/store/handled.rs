//! Runs whose cancel is handled: they are handed to a worker once more before they end.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, LEASE, at, entry, ok, subscription},
    collecting::{batch, debounce},
    flowing::{has_none, singleton, skipped},
    limits::{FINISH, START, limits},
    undoing::fail,
};
use crate::{
    error::Result,
    store::{
        Awaits, CommitOutcome, Register, Rerun, RunStatus, Then, Transition, Undoing, WorkerId,
    },
};

impl Client {
    /// Registers a worker for `f`, whose cancels are handled, and `g`, whose cancels are not.
    async fn handling(&self) -> Result<WorkerId> {
        self.handling_of(&["f", "g"], &["f"]).await
    }

    async fn handling_of(&self, functions: &[&str], handled: &[&str]) -> Result<WorkerId> {
        let subscriptions = functions.iter().map(|id| subscription(id, &[id]));
        let awaits = functions.iter().map(|id| Awaits::new(*id, ["paid"]));
        let handled = handled.iter().map(|id| Arc::from(*id));
        let request = Register::new(at(0), LEASE)
            .with_subscriptions(subscriptions.collect())
            .with_awaits(awaits.collect())
            .with_limits(vec![limits("f", START, FINISH)])
            .with_cancel_handled(handled.collect());
        self.register(request).await
    }

    /// Claims a run whose end as cancelled is decided, and ends it.
    async fn end_cancelled(&self, worker: WorkerId, run: &str) -> Result<Undoing> {
        let record = self.record(run).await?;
        assert_eq!(record.status, RunStatus::Undoing, "{run}");
        // Its time counts no more.
        let expired = self.expire_all(at(3 * FINISH)).await?.runs;
        assert!(!expired.iter().any(|over| **over == *run), "{run}");
        assert!(!self.cancel(run, at(4)).await?, "{run}");
        let (claimed, undoing) = self.claim_undoing(worker, run).await?;
        assert_eq!(undoing.status, RunStatus::Cancelled, "{run}");
        let end = Some(Transition::undone(&undoing));
        self.must_write(claimed.lease, Vec::new(), end, at(6))
            .await?;
        let record = self.record(run).await?;
        let about = (record.status, record.finished_at, record.due_at);
        assert_eq!(about, (RunStatus::Cancelled, Some(at(6)), None), "{run}");
        assert!(record.start_by.is_some() && record.finish_by.is_some());
        if record.started_at.is_none() {
            assert_eq!(record.build, None, "{run}");
        }
        Ok(undoing)
    }
}

pub(super) async fn handled_cancel_is_told_first(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.handling().await?;
    for how in ["pending", "driven", "rests", "over", "itself"] {
        let run = store.start(how, "f").await?;
        let mut lease = None;
        if how != "pending" && how != "over" {
            let claimed = store.take_named(worker, &["f"], &run, at(0)).await?;
            lease = claimed.map(|run| run.lease);
        }
        if let (Some(lease), "rests" | "driven") = (lease, how) {
            let rests = (how == "rests").then(|| Transition::suspend(at(90_000)));
            store
                .must_write(lease, vec![entry(0, "plain", "1")], rests, at(1))
                .await?;
        }
        match (how, lease) {
            ("over", _) => {
                let expired = other.expire_all(at(2 * FINISH)).await?.runs;
                assert_eq!(expired, [Arc::clone(&run)]);
            }
            ("itself", Some(lease)) => {
                let cancel = Some(Transition::cancel(ok("\"why\"")));
                store
                    .must_write(lease, vec![entry(0, "last", "1")], cancel, at(2))
                    .await?;
            }
            _ => assert!(other.cancel(&run, at(2)).await?),
        }
        if let Some(lease) = lease {
            assert_eq!(store.revoked(&[lease]).await?, [lease]);
            let late = store
                .write(lease, vec![entry(1, "late", "1")], None, at(2))
                .await?;
            assert_eq!(late, CommitOutcome::LeaseLost);
        }
        let undoing = store.end_cancelled(worker, &run).await?;
        // Handing it on once more was no beginning.
        let has_begun = store.record(&run).await?.started_at.is_some();
        assert_eq!(has_begun, lease.is_some(), "{how}");
        assert_eq!(undoing.error.is_some(), how == "over" || how == "itself");
        // What it has recorded is there as it was.
        let journal = store.journal(&run).await?;
        let shown: Vec<&str> = journal
            .iter()
            .filter(|entry| entry.is_shown())
            .map(|entry| &*entry.path)
            .collect();
        let expected: &[&str] = match how {
            "driven" | "rests" => &["plain"],
            "itself" => &["last"],
            _ => &[],
        };
        assert_eq!(shown, expected, "{how}");
    }
    let plain = store.start("g-1", "g").await?;
    assert!(other.cancel(&plain, at(2)).await?);
    assert_eq!(store.status_of(&plain).await?, RunStatus::Cancelled);
    assert_eq!(store.purge(at(9), 10).await?.runs, 6);
    Ok(())
}

pub(super) async fn handled_cancel_is_no_failure(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.handling().await?;
    for (end, status) in [
        (fail(), RunStatus::Failed),
        (Transition::complete(ok("1")), RunStatus::Completed),
    ] {
        let run = store.start(&format!("e-{status}"), "f").await?;
        let claimed = store.take_one(worker, &["f"], at(0)).await?;
        store
            .must_write(
                claimed.lease,
                vec![entry(0, "plain", "1")],
                Some(end),
                at(2),
            )
            .await?;
        assert_eq!(store.status_of(&run).await?, status);
    }
    Ok(())
}

pub(super) async fn handled_cancels_are_those_of_the_newest_session(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let first = store.handling().await?;
    let second = other.handling_of(&["f"], &[]).await?;
    let run = store.start("e-1", "f").await?;
    assert!(store.cancel(&run, at(2)).await?);
    assert_eq!(store.status_of(&run).await?, RunStatus::Cancelled);
    let third = store.handling_of(&["f"], &["f"]).await?;
    other.handling_of(&["g"], &[]).await?;
    let run = other.start("e-2", "f").await?;
    assert!(other.cancel(&run, at(2)).await?);
    other.end_cancelled(third, &run).await?;
    for worker in [first, second, third] {
        store.deregister(worker, at(7)).await?;
    }
    let run = store.start("e-3", "f").await?;
    assert!(store.cancel(&run, at(7)).await?);
    assert_eq!(store.status_of(&run).await?, RunStatus::Undoing);
    let waits = store.start("e-4", "f").await?;
    // Nobody has its code.
    store.forget("f", at(8), 10).await?;
    assert_eq!(other.status_of(&run).await?, RunStatus::Cancelled);
    assert_eq!(other.status_of(&waits).await?, RunStatus::Cancelled);
    let late = store.start_free("e-5").await?;
    assert!(store.cancel(&late, at(9)).await?);
    assert_eq!(store.status_of(&late).await?, RunStatus::Cancelled);
    Ok(())
}

pub(super) async fn handled_cancel_comes_again_after_a_rerun(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.handling().await?;
    let run = store.start("e", "f").await?;
    assert!(store.cancel(&run, at(2)).await?);
    store.end_cancelled(worker, &run).await?;
    for again in 0..2 {
        assert!(store.rerun(Rerun::new(Arc::clone(&run), at(7))).await?);
        let claimed = store.take_named(worker, &["f"], &run, at(7)).await?;
        let claimed = claimed.expect("it is due");
        assert_eq!(claimed.undoing, None);
        assert_eq!(claimed.journal.len(), again, "nothing but its steps");
        let seq = claimed.journal.last().map_or(0, |entry| entry.seq + 1);
        let step = entry(seq, &format!("step-{again}"), "1");
        store
            .must_write(claimed.lease, vec![step], None, at(7))
            .await?;
        assert!(store.cancel(&run, at(8)).await?);
        store.end_cancelled(worker, &run).await?;
    }
    let journal = store.journal(&run).await?;
    assert_eq!(journal.iter().filter(|entry| entry.is_shown()).count(), 2);
    Ok(())
}

pub(super) async fn skipped_run_is_no_handled_cancel(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.handling().await?;
    let first = store.flow("e-1", &singleton(Then::Skip), at(0)).await?;
    let second = store.flow("e-2", &singleton(Then::Skip), at(0)).await?;
    assert!(skipped(&second).is_some(), "{second:?}");
    let record = store.record(&second.run_id).await?;
    let about = (record.status, record.started_at, record.due_at);
    assert_eq!(about, (RunStatus::Cancelled, None, None));
    // Rerun, it is one like any other.
    assert!(store.cancel(&first.run_id, at(1)).await?);
    store.end_cancelled(worker, &first.run_id).await?;
    assert!(store.rerun(Rerun::new(&*second.run_id, at(7))).await?);
    assert!(store.cancel(&second.run_id, at(8)).await?);
    store.end_cancelled(worker, &second.run_id).await?;
    Ok(())
}

pub(super) async fn handled_cancel_takes_no_events(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.handling().await?;
    for (what, flow) in [("d", debounce()), ("b", batch(9))] {
        let first = store.flow(&format!("{what}-1"), &flow, at(0)).await?;
        assert!(store.cancel(&first.run_id, at(1)).await?);
        let second = store.flow(&format!("{what}-2"), &flow, at(2)).await?;
        assert_ne!(second.run_id, first.run_id);
        let status = store.status_of(&second.run_id).await?;
        assert!(!status.is_finished(), "{what}: {status}");
        store.end_cancelled(worker, &first.run_id).await?;
        assert_eq!(store.events_of(&first.run_id).await?, [format!("{what}-1")]);
        assert_eq!(
            store.events_of(&second.run_id).await?,
            [format!("{what}-2")]
        );
    }
    Ok(())
}
