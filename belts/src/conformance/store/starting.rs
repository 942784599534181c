//! Runs that a commit starts: when they begin, and what is known of the one that started them.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, at, ok, targeted},
    waiting::keeps_none,
};
use crate::{
    error::Result,
    store::{
        ClaimedRun, Commit, CommitOutcome, ENDED, Entry, NewEvent, Parent, Rerun, RunFilter,
        RunStatus, StepKind, StepState, Transition, Wait, WorkerId,
    },
};

/// An event that starts a run of `g` under this id, with a parent.
pub(super) fn start(parent: &ClaimedRun, id: &str, attached: bool) -> NewEvent {
    let depth = parent.parent.as_ref().map_or(0, |parent| parent.depth);
    let mut of = Parent::new(Arc::clone(&parent.run_id), depth + 1);
    of.attached = attached;
    targeted(&format!("e-{id}"), "g", Some(id)).with_parent(of)
}

/// An entry that waits for the end of a run.
pub(super) fn call(seq: u32, id: &str) -> Entry {
    let path = format!("call-{seq}");
    Entry::new(seq, path, StepKind::Call, StepState::Waiting, at(1)).with_wait(Wait::run(id))
}

impl Client {
    /// Registers a worker for runs of `f` that start runs of `g`, which may start others.
    pub(super) async fn family(&self) -> Result<WorkerId> {
        self.waiter(&["f", "g"], &[ENDED]).await
    }

    /// Starts attached runs of these ids, in one commit with the entries that wait for them.
    pub(super) async fn call(&self, parent: &ClaimedRun, ids: &[&str], waits: bool) -> Result<()> {
        let entries = (0..).zip(ids).map(|(seq, id)| call(seq, id)).collect();
        let starts = ids.iter().map(|id| start(parent, id, true)).collect();
        let commit = Commit::new(parent.lease)
            .with_entries(entries)
            .with_starts(starts)
            .with_transition(waits.then(|| Transition::suspend(None)));
        let outcome = self.commit_one(commit, at(1)).await?;
        assert_eq!(outcome, CommitOutcome::Applied);
        Ok(())
    }

    /// Starts a run that is there.
    pub(super) async fn start_again(&self, parent: &ClaimedRun, id: &str) -> Result<()> {
        let commit = Commit::new(parent.lease).with_starts(vec![start(parent, id, true)]);
        let outcome = self.commit_one(commit, at(2)).await?;
        assert_eq!(outcome, CommitOutcome::Applied);
        Ok(())
    }

    pub(super) async fn status_of(&self, run: &str) -> Result<RunStatus> {
        Ok(self.record(run).await?.status)
    }
}

pub(super) async fn commit_starts_runs(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    let delayed = NewEvent {
        due_at: at(500),
        ..start(&parent, "c-2", false)
    };
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(0, "c-1"), call(1, "c-2")])
        .with_starts(vec![start(&parent, "c-1", true).with_retries(7), delayed])
        .with_transition(Transition::suspend(None));
    store.commit_one(commit, at(1)).await?;
    let other = bench.another().await?;
    assert_eq!(other.journal(&parent.run_id).await?.len(), 2);
    let child = other.take_one(worker, &["f", "g"], at(400)).await?;
    let about = (&*child.run_id, &*child.function_id, &*child.event_id);
    assert_eq!(about, ("c-1", "g", "e-c-1"));
    assert_eq!(
        (child.retries, &*child.payload),
        (Some(7), &b"{\"a\":1}"[..])
    );
    let later = other.take_one(worker, &["f", "g"], at(500)).await?;
    assert_eq!(&*later.run_id, "c-2", "it is due at its time");
    assert_eq!(store.status_of(&parent.run_id).await?, RunStatus::Suspended);
    Ok(())
}

pub(super) async fn ending_commit_starts_runs(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let error: Arc<[u8]> = Arc::from(*br#"{"v":1,"err":{"kind":"failed","message":"no"}}"#);
    let ends = [
        ("failed", Transition::fail(1, error.clone())),
        ("cancelled", Transition::cancel(error)),
        ("completed", Transition::complete(*br#"{"v":1,"ok":1}"#)),
    ];
    for (id, end) in ends {
        let parent = store.begin(worker, id).await?;
        let (free, attached) = (format!("free-{id}"), format!("attached-{id}"));
        let starts = vec![
            start(&parent, &free, false),
            start(&parent, &attached, true),
        ];
        let commit = Commit::new(parent.lease)
            .with_starts(starts)
            .with_transition(end);
        let outcome = store.commit_one(commit.clone(), at(1)).await?;
        assert_eq!(outcome, CommitOutcome::Applied, "{id}");
        let other = bench.another().await?;
        assert_eq!(other.status_of(&free).await?, RunStatus::Pending, "{id}");
        let expected = if id == "completed" {
            RunStatus::Pending
        } else {
            RunStatus::Cancelled
        };
        assert_eq!(other.status_of(&attached).await?, expected, "{id}");
        let of = other.record(&free).await?.parent;
        let of = of.map(|parent| parent.run_id);
        assert_eq!(of, Some(parent.run_id), "{id}");
    }
    Ok(())
}

pub(super) async fn refused_commit_starts_nothing(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["c-1"], false).await?;
    assert!(store.cancel(&parent.run_id, at(1)).await?);
    assert!(store.rerun(Rerun::new("c-1", at(1))).await?);
    let commit = Commit::new(parent.lease)
        .with_starts(vec![start(&parent, "c-2", true)])
        .with_cancels(vec!["c-1".into()]);
    let outcome = store.commit_one(commit, at(2)).await?;
    assert_eq!(outcome, CommitOutcome::LeaseLost);
    assert!(store.run("c-2").await?.is_none());
    assert_eq!(store.status_of("c-1").await?, RunStatus::Pending);
    // One that skips its run is written, but not what it would start and cancel.
    let parent = store.begin(worker, "skipped").await?;
    store.call(&parent, &["c-3"], false).await?;
    let commit = Commit::new(parent.lease)
        .with_starts(vec![start(&parent, "c-4", true)])
        .with_cancels(vec!["c-3".into()])
        .with_transition(Transition::Skip);
    let outcome = store.commit_one(commit, at(2)).await?;
    assert_eq!(outcome, CommitOutcome::Applied);
    assert!(store.run("c-4").await?.is_none());
    assert_eq!(store.status_of("c-3").await?, RunStatus::Pending);
    Ok(())
}

pub(super) async fn run_is_started_once(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["c"], false).await?;
    let child = store.take_one(worker, &["g"], at(1)).await?;
    // Another event of the same run, and the same event.
    let mut changed = start(&parent, "c", true);
    changed.id = "e-other".into();
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(0, "c")])
        .with_starts(vec![changed, start(&parent, "c", true)]);
    assert_eq!(
        store.commit_one(commit, at(2)).await?,
        CommitOutcome::Applied
    );
    assert_eq!(store.status_of("c").await?, RunStatus::Running);
    assert!(store.take(worker, &["g"], at(2)).await?.runs.is_empty());
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(child.lease, Vec::new(), complete, at(3))
        .await?;
    // Nor does one that somebody else has started get a parent by it.
    store
        .publish_one(targeted("e-free", "g", Some("free")), at(3))
        .await?;
    store.start_again(&parent, "free").await?;
    assert_eq!(store.record("free").await?.parent, None);
    assert_eq!(&*store.record("free").await?.event_id, "e-free");
    Ok(())
}

pub(super) async fn started_run_knows_its_parent(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    assert_eq!(parent.parent, None);
    let starts = vec![start(&parent, "c-1", true), start(&parent, "c-2", false)];
    store
        .commit_one(Commit::new(parent.lease).with_starts(starts), at(1))
        .await?;
    let other = bench.another().await?;
    for id in ["c-1", "c-2"] {
        let child = other.take_named(worker, &["g"], &id.into(), at(1)).await?;
        let of = child.and_then(|child| child.parent);
        let mut expected = Parent::new(Arc::clone(&parent.run_id), 1);
        expected.attached = id == "c-1";
        assert_eq!(of.as_ref(), Some(&expected));
        assert_eq!(store.record(id).await?.parent, of);
    }
    let below = other
        .list(RunFilter::new().with_parent(&*parent.run_id))
        .await?;
    let below = below
        .runs
        .iter()
        .map(|run| &*run.run_id)
        .collect::<Vec<_>>();
    assert_eq!(below, ["c-2", "c-1"], "the newest first");
    let page = RunFilter::new().with_parent(&*parent.run_id).with_limit(1);
    let page = other.list(page).await?;
    assert_eq!((&*page.runs[0].run_id, page.next.is_some()), ("c-2", true));
    let of_child = other.list(RunFilter::new().with_parent("c-1")).await?;
    assert!(of_child.runs.is_empty());
    Ok(())
}

pub(super) async fn rerun_from_a_step_is_counted(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let mut run = store.begin(worker, "p").await?;
    assert_eq!(run.generation, 0);
    for (from, generation) in [(None, 0), (Some(0), 1), (None, 1), (Some(3), 2)] {
        let fail = Some(Transition::fail(1, *b"{\"v\":1,\"err\":{}}"));
        store.must_write(run.lease, Vec::new(), fail, at(1)).await?;
        let again = Rerun::new(Arc::clone(&run.run_id), at(1)).with_from(from);
        assert!(store.rerun(again).await?);
        run = store.take_one(worker, &["f"], at(1)).await?;
        assert_eq!(run.generation, generation, "after a rerun from {from:?}");
    }
    Ok(())
}
