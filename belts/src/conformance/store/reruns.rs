//! Ends that are told again, taken back, or told of what is gone; and calls that a rerun opens again.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, at, ok},
    families::{FAILURE, end, fail, told},
    meeting::wait,
    starting::{call, start},
    waiting::keeps_none,
};
use crate::{
    error::Result,
    store::{ClaimedRun, Commit, CommitOutcome, Rerun, StepState, Transition},
};

pub(super) async fn end_is_told_again_to_whoever_starts_it(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["c"], true).await?;
    end(store, worker, "c", Transition::complete(ok("3"))).await?;
    let parent = store.take_one(worker, &["f"], at(2)).await?;
    let place = parent.arrivals[0].place;
    store
        .must_write(parent.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    let again = Rerun::new(Arc::clone(&parent.run_id), at(3)).with_from(0);
    assert!(store.rerun(again).await?);
    let parent = store.take_one(worker, &["f"], at(3)).await?;
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(0, "c")])
        .with_starts(vec![start(&parent, "c", true)])
        .with_transition(Transition::suspend(None));
    store.commit_one(commit, at(4)).await?;
    let parent = store.take_one(worker, &["f"], at(4)).await?;
    let arrival = parent.arrivals.last().expect("it is told again");
    assert!(arrival.place > place);
    let said = r#"{"status":"completed","result":{"v":1,"ok":3}}"#;
    assert_eq!(&*arrival.payload, said.as_bytes());
    Ok(())
}

pub(super) async fn rerun_takes_back_what_was_told(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    let starts = vec![start(&parent, "c", true)];
    store
        .commit_one(Commit::new(parent.lease).with_starts(starts), at(1))
        .await?;
    end(store, worker, "c", fail()).await?;
    assert!(store.rerun(Rerun::new("c", at(2))).await?);
    wait(store, &parent, call(0, "c"), true).await?;
    assert!(store.take(worker, &["f"], at(2)).await?.runs.is_empty());
    end(store, worker, "c", Transition::complete(ok("1"))).await?;
    let woken = store.take_one(worker, &["f"], at(2)).await?;
    let said = r#"{"status":"completed","result":{"v":1,"ok":1}}"#;
    assert_eq!(told(&woken.arrivals), (0, said));
    Ok(())
}

pub(super) async fn gone_run_is_told_as_gone(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["there", "over"], false).await?;
    end(store, worker, "over", Transition::complete(ok("1"))).await?;
    let commit = Commit::new(parent.lease)
        .with_entries(vec![call(2, "never")])
        .with_watches(["never", "there", "over"].map(Arc::from).into())
        .with_transition(Transition::suspend(None));
    store.commit_one(commit, at(3)).await?;
    let woken = store.take_one(worker, &["f"], at(3)).await?;
    let said = |seq: u32| {
        let mut of_seq = woken
            .arrivals
            .iter()
            .filter(move |arrival| arrival.seq == seq);
        let last = of_seq
            .next_back()
            .map(|arrival| Arc::clone(&arrival.payload));
        last.map(|said| String::from_utf8_lossy(&said).into_owned())
    };
    assert_eq!(said(0), None, "it goes on");
    assert_eq!(
        said(1).as_deref(),
        Some(r#"{"status":"completed","result":{"v":1,"ok":1}}"#)
    );
    assert_eq!(
        said(2).as_deref(),
        Some(r#"{"status":"gone","result":null}"#)
    );
    // It is told again to a commit that only watches it, behind what was told before.
    let place = |run: &ClaimedRun| {
        let of_over = run.arrivals.iter().filter(|arrival| arrival.seq == 1);
        of_over.map(|arrival| arrival.place).max()
    };
    let first = place(&woken);
    let commit = Commit::new(woken.lease)
        .with_watches(vec!["over".into()])
        .with_transition(Transition::suspend(None));
    store.commit_one(commit, at(3)).await?;
    let woken = store.take_one(worker, &["f"], at(3)).await?;
    assert!(place(&woken) > first, "it is told again");
    // What was told once is not told otherwise.
    store.forget_and_watch(&woken, "over").await?;
    let again = store.arrived(&[woken.lease]).await?;
    let arrivals = again.iter().flat_map(|(_, arrivals)| arrivals);
    let gone = arrivals.filter(|arrival| arrival.payload.starts_with(b"{\"status\":\"gone"));
    assert_eq!(gone.count(), 1);
    Ok(())
}

impl Client {
    /// Purges all that has finished, and watches a run of which the end was told.
    async fn forget_and_watch(&self, parent: &ClaimedRun, id: &str) -> Result<()> {
        while self.purge(at(10_000), 100).await?.more {}
        assert!(self.run(id).await?.is_none());
        let commit = Commit::new(parent.lease).with_watches(vec![id.into()]);
        assert_eq!(
            self.commit_one(commit, at(4)).await?,
            CommitOutcome::Applied
        );
        Ok(())
    }
}

pub(super) async fn run_that_is_gone_is_started_again(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    for (nth, how) in [Transition::Skip, Transition::complete(ok("1"))]
        .into_iter()
        .enumerate()
    {
        let id = format!("c-{nth}");
        store.call(&parent, &[&id], false).await?;
        end(store, worker, &id, how).await?;
        while store.purge(at(10_000), 100).await?.more {}
        assert!(store.run(&id).await?.is_none());
        let mut again = start(&parent, &id, true);
        again.id = format!("e-again-{nth}").into();
        let commit = Commit::new(parent.lease)
            .with_entries(vec![call(5, &id)])
            .with_starts(vec![again]);
        assert_eq!(
            store.commit_one(commit, at(3)).await?,
            CommitOutcome::Applied
        );
        let heard = store.arrived(&[parent.lease]).await?;
        assert!(
            heard.is_empty(),
            "what was told of it is taken back: {heard:?}"
        );
        end(store, worker, &id, Transition::complete(ok("2"))).await?;
        let (_, heard) = store.arrived(&[parent.lease]).await?.remove(0);
        let said = r#"{"status":"completed","result":{"v":1,"ok":2}}"#;
        let heard: Vec<_> = heard
            .iter()
            .map(|arrival| (arrival.seq, &*arrival.payload))
            .collect();
        // Each entry that waits for it, and no other.
        assert_eq!(heard, [(0, said.as_bytes()), (5, said.as_bytes())]);
    }
    Ok(())
}

pub(super) async fn rerun_opens_calls_again(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.family().await?;
    let parent = store.begin(worker, "p").await?;
    store.call(&parent, &["a", "b", "c"], false).await?;
    end(store, worker, "a", fail()).await?;
    let (_, heard) = store.arrived(&[parent.lease]).await?.remove(0);
    assert_eq!(told(&heard).0, 0);
    let settled = |seq: u32, id: &str, state| {
        let mut entry = call(seq, id)
            .with_value("f", *FAILURE)
            .with_finished_at(at(2));
        entry.state = state;
        entry
    };
    let mut entries = vec![
        settled(0, "a", StepState::Failed),
        call(1, "b").with_due_at(at(900)),
        settled(2, "c", StepState::Failed),
    ];
    let present = store.journal(&parent.run_id).await?;
    for (entry, present) in entries.iter_mut().zip(&present) {
        entry.wait.clone_from(&present.wait);
    }
    store
        .must_write(parent.lease, entries, Some(fail()), at(3))
        .await?;
    assert!(store.rerun(Rerun::new("a", at(4))).await?);
    let again = Rerun::new(Arc::clone(&parent.run_id), at(4)).with_reopen(vec![0, 1]);
    assert!(store.rerun(again).await?);
    let run = store.take_one(worker, &["f"], at(4)).await?;
    let cancelled = r#"{"status":"cancelled","result":null}"#;
    assert_eq!(
        told(&run.arrivals),
        (1, cancelled),
        "b was cancelled with it, and a goes on"
    );
    let open: Vec<_> = run
        .journal
        .iter()
        .map(|entry| {
            (
                entry.seq,
                entry.state,
                entry.value.len(),
                entry.due_at,
                entry.finished_at,
            )
        })
        .collect();
    let waits = |seq| (seq, StepState::Waiting, 0, None, None);
    assert_eq!(
        open,
        [waits(0), waits(1)],
        "the failed one that is not named is dropped"
    );
    let suspend = Some(Transition::suspend(None));
    let closed = settled(1, "b", StepState::Completed);
    store
        .must_write(run.lease, vec![closed], suspend, at(5))
        .await?;
    assert!(store.take(worker, &["f"], at(5)).await?.runs.is_empty());
    end(store, worker, "a", Transition::complete(ok("7"))).await?;
    let run = store.take_one(worker, &["f"], at(5)).await?;
    let said = r#"{"status":"completed","result":{"v":1,"ok":7}}"#;
    assert_eq!(
        told(&run.arrivals),
        (0, said),
        "it waits again from where it did"
    );
    Ok(())
}
