//! How waits close, with their entry or their run, and what a rerun opens again.

use std::sync::Arc;

use super::{
    bench::{Bench, at, ok},
    waiting::{keeps_none, keyed, met, payment, union},
};
use crate::{
    error::Result,
    store::{After, Entry, Rerun, RunStatus, StepState, Transition},
};

pub(super) async fn settled_entry_waits_no_more(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let run = store.begin(worker, "e").await?;
    let waiting = [payment(0, "a"), payment(1, "b"), payment(2, "c")];
    store
        .must_write(run.lease, waiting.to_vec(), None, at(1))
        .await?;
    let settled = |entry: &Entry, state| Entry {
        state,
        finished_at: Some(at(2)),
        ..entry.clone()
    };
    let completed = settled(&waiting[0], StepState::Completed).with_value("Paid", ok("{}"));
    let failed = settled(&waiting[1], StepState::Failed);
    let suspend = Some(Transition::suspend(None));
    let entries = vec![completed.clone(), failed];
    store.must_write(run.lease, entries, suspend, at(2)).await?;
    // An earlier state that comes late opens nothing.
    let events = ["a", "b"].map(|key| keyed(key, "paid", key));
    store.publish_all(events.into(), at(3)).await?;
    assert_eq!(store.record(&run.run_id).await?.due_at, None);
    store.publish_one(keyed("c", "paid", "c"), at(4)).await?;
    let run = store.take_one(worker, &["f"], at(4)).await?;
    assert_eq!(met(&run.arrivals), [(2, "c")]);
    assert_eq!(run.journal[0], completed, "what it waited for is kept");
    store
        .must_write(run.lease, vec![waiting[0].clone()], None, at(5))
        .await?;
    assert_eq!(met(&store.arrived(&[run.lease]).await?[0].1), [(2, "c")]);
    Ok(())
}

pub(super) async fn end_of_a_run_closes_its_waits(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let ends = [
        Transition::complete(ok("1")),
        Transition::fail(1, ok("1")),
        Transition::Skip,
    ];
    for (nth, transition) in ends.into_iter().enumerate() {
        let run = store.begin(worker, &format!("e-{nth}")).await?;
        store
            .must_write(run.lease, vec![payment(0, "k")], None, at(1))
            .await?;
        // What is written with the end waits for nothing either.
        let last = vec![payment(1, "k")];
        store
            .must_write(run.lease, last, Some(transition), at(1))
            .await?;
    }
    let cancelled = store
        .wait(worker, "cancelled", vec![payment(0, "k")])
        .await?;
    assert!(store.cancel(&cancelled, at(2)).await?);
    store.publish_one(keyed("p", "paid", "k"), at(3)).await?;
    let claimed = store.take(worker, &["f"], at(20_000)).await?;
    assert!(claimed.runs.is_empty() && claimed.next_due.is_none());
    assert_eq!(store.record(&cancelled).await?.status, RunStatus::Cancelled);
    Ok(())
}

pub(super) async fn rerun_opens_what_still_waits(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let entries = vec![payment(0, "k"), payment(1, "l"), payment(2, "m")];
    let id = store.wait(worker, "e", entries).await?;
    assert!(store.cancel(&id, at(2)).await?);
    let rerun = Rerun::new(Arc::clone(&id), at(3)).with_from(2);
    assert!(store.rerun(rerun).await?);
    let run = store.take_one(worker, &["f"], at(3)).await?;
    assert_eq!(run.journal.len(), 2);
    let suspend = Some(Transition::suspend(None));
    store
        .must_write(run.lease, Vec::new(), suspend, at(3))
        .await?;
    store.publish_one(keyed("m", "paid", "m"), at(4)).await?;
    assert_eq!(store.record(&id).await?.due_at, None);
    store.publish_one(keyed("l", "paid", "l"), at(4)).await?;
    let run = store.take_one(worker, &["f"], at(4)).await?;
    assert_eq!(met(&run.arrivals), [(1, "l")]);
    Ok(())
}

/// A worker that comes back without the wait, and a purge: then nobody awaits the type of a run that is over.
pub(super) async fn rerun_awaits_its_types_again(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let gone = store.waiter(&["f"], &["paid"]).await?;
    let entries = vec![payment(0, "k"), payment(1, "l")];
    let id = store.wait(gone, "e", entries).await?;
    assert!(store.cancel(&id, at(2)).await?);
    store.deregister(gone, at(2)).await?;
    let worker = store.worker(&["f"]).await?;
    other.purge(at(-1), 10).await?;
    assert_eq!(store.awaited().await?, [] as [Arc<str>; 0]);
    other.publish_one(keyed("k", "paid", "k"), at(3)).await?;
    assert!(store.rerun(Rerun::new(Arc::clone(&id), at(4))).await?);
    assert_eq!(other.awaited().await?, [Arc::from("paid")]);
    let run = store.take_one(worker, &["f"], at(4)).await?;
    assert_eq!(
        met(&run.arrivals),
        [(0, "k")],
        "what was published meanwhile"
    );
    let place = After::Place(run.arrivals[0].place);
    let passed = vec![union(0, &[("paid", place)], Some("k"))];
    let suspend = Some(Transition::suspend(None));
    store.must_write(run.lease, passed, suspend, at(5)).await?;
    other.publish_one(keyed("l", "paid", "l"), at(6)).await?;
    let run = store.take_one(worker, &["f"], at(6)).await?;
    assert_eq!(met(&run.arrivals), [(1, "l")]);
    Ok(())
}
