//! Runs that have something to undo beside others: their families, what a rerun and the end of a function do, and ends that meet.

use std::sync::Arc;

use super::{
    bench::{Bench, at, entry},
    families::told,
    starting::{call, start},
    undoing::{fail, undo, undoable},
    waiting::{keeps_none, keyed, payment},
};
use crate::{
    error::Result,
    store::{Commit, CommitOutcome, Rerun, RunStatus, Transition},
};

pub(super) async fn undoing_is_told_once_it_is_over(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["c"], true).await?;
    let child = store
        .take_named(worker, &["f", "g"], &"c".into(), at(2))
        .await?;
    let child = child.expect("it is due");
    let below = Commit::new(child.lease)
        .with_entries(vec![undoable(0), call(1, "below"), payment(2, "o-1")])
        .with_starts(vec![
            start(&child, "below", true),
            start(&child, "free", false),
        ])
        .with_transition(Transition::suspend(None));
    store.commit_one(below, at(2)).await?;
    assert!(store.cancel("c", at(3)).await?);
    // Those that are attached end at once, and nothing wakes it any more.
    assert_eq!(store.status_of("below").await?, RunStatus::Cancelled);
    assert_eq!(store.status_of("free").await?, RunStatus::Pending);
    store
        .publish_one(keyed("late", "paid", "o-1"), at(3))
        .await?;
    let nothing = store
        .take_named(worker, &["f"], &parent.run_id, at(4))
        .await?;
    assert!(nothing.expect("it waits").arrivals.is_empty());
    let (child, undoing) = store.claim_undoing(worker, "c").await?;
    assert!(child.arrivals.is_empty());
    store
        .must_write(
            child.lease,
            Vec::new(),
            Some(Transition::undone(&undoing)),
            at(6),
        )
        .await?;
    let leases = store.arrived(&[]).await?;
    assert!(leases.is_empty());
    store
        .release(crate::store::Release::new(worker, at(6)))
        .await?;
    let parent = store
        .take_named(worker, &["f"], &parent.run_id, at(6))
        .await?;
    let parent = parent.expect("it is due");
    let (_, said) = told(&parent.arrivals);
    assert!(said.starts_with(r#"{"status":"cancelled""#), "{said}");
    Ok(())
}

pub(super) async fn undoing_run_is_not_cancelled_with_its_parent(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["c", "d"], false).await?;
    for id in ["c", "d"] {
        let child = store.take_named(worker, &["g"], &id.into(), at(2)).await?;
        let child = child.expect("it is due");
        let ends = (id == "c").then(fail);
        store
            .must_write(child.lease, vec![undoable(0)], ends, at(2))
            .await?;
    }
    let (child, undoing) = store.claim_undoing(worker, "c").await?;
    store
        .must_write(parent.lease, Vec::new(), Some(fail()), at(5))
        .await?;
    assert_eq!(store.status_of(&parent.run_id).await?, RunStatus::Failed);
    assert!(store.revoked(&[child.lease]).await?.is_empty());
    assert_eq!(undoing.status, RunStatus::Failed);
    // One that still went on is cancelled, and so undone.
    let (_, other) = store.claim_undoing(worker, "d").await?;
    assert_eq!(other.status, RunStatus::Cancelled);
    Ok(())
}

pub(super) async fn rerun_drops_what_was_undone(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.armed(worker, "e").await?;
    store
        .must_write(
            run.lease,
            vec![undoable(1), entry(2, "plain", "1")],
            Some(fail()),
            at(2),
        )
        .await?;
    let counts = u32::from(!keeps_none(&bench));
    for times in 1..=2 {
        let (claimed, undoing) = store.claim_undoing(worker, &run.run_id).await?;
        let undone = Some(Transition::undone(&undoing));
        store
            .must_write(claimed.lease, vec![undo(3, 1)], undone, at(6))
            .await?;
        let again = Rerun::new(Arc::clone(&run.run_id), at(6)).with_undone(vec![1, 3]);
        assert!(store.rerun(again).await?);
        let again = store.take_one(worker, &["f"], at(6)).await?;
        assert_eq!((again.undoing, again.generation), (None, times * counts));
        assert_eq!(again.journal, [undoable(0), entry(2, "plain", "1")]);
        // It is undone as the first time.
        store
            .must_write(again.lease, vec![undoable(1)], Some(fail()), at(6))
            .await?;
    }
    Ok(())
}

pub(super) async fn rerun_keeps_what_can_be_undone(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.armed(worker, "e").await?;
    store
        .must_write(run.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    // It could not be undone, each time.
    for _ in 0..2 {
        let (claimed, undoing) = store.claim_undoing(worker, &run.run_id).await?;
        assert_eq!(undoing.status, RunStatus::Failed);
        let undone = Some(Transition::undone(&undoing));
        store
            .must_write(claimed.lease, Vec::new(), undone, at(6))
            .await?;
        assert_eq!(store.status_of(&run.run_id).await?, RunStatus::Failed);
        let again = Rerun::new(Arc::clone(&run.run_id), at(6));
        assert!(store.rerun(again).await?);
        let again = store.take_one(worker, &["f"], at(6)).await?;
        assert_eq!((again.undoing, again.journal.len()), (None, 1));
        store
            .must_write(again.lease, Vec::new(), Some(fail()), at(6))
            .await?;
    }
    Ok(())
}

pub(super) async fn forget_ends_what_nobody_can_undo(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let armed = store.armed(worker, "e-1").await?;
    let undoing = store.armed(worker, "e-2").await?;
    store
        .must_write(undoing.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    store.deregister(worker, at(2)).await?;
    assert_eq!(store.forget("f", at(3), 10).await?.runs, 2);
    for run in [armed, undoing] {
        let record = store.record(&run.run_id).await?;
        let about = (record.status, record.finished_at);
        assert_eq!(about, (RunStatus::Cancelled, Some(at(3))));
    }
    Ok(())
}

pub(super) async fn ends_of_undoable_runs_meet_at_once(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    for round in 0..10 {
        let run = store.armed(worker, &format!("e-{round}")).await?;
        let (one, two, failed) = tokio::join!(
            store.cancel(&run.run_id, at(2)),
            other.cancel(&run.run_id, at(2)),
            store.write(run.lease, Vec::new(), Some(fail()), at(2)),
        );
        let ends = [one?, two?, failed? == CommitOutcome::Applied];
        assert_eq!(ends.iter().filter(|ended| **ended).count(), 1, "{ends:?}");
        let (_, undoing) = store.claim_undoing(worker, &run.run_id).await?;
        assert_eq!(undoing.status == RunStatus::Failed, ends[2]);
    }
    Ok(())
}
