//! Which events can still be found: those of types that anybody may wait for, as long as a run could look back to them.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, LEASE, at, event, ok, subscription},
    waiting::{keeps_none, keyed, met, payment, union},
};
use crate::{
    error::Result,
    store::{After, Awaits, Register, Transition},
};

/// Whether an event is still there. It must have no subscribers, and goes with the next purge if it was not.
async fn is_there(store: &Client, id: &str) -> Result<bool> {
    let published = store.publish_all(vec![event(id, "paid")], at(0)).await?;
    Ok(published[0].duplicate)
}

pub(super) async fn awaited_types_are_known_to_all(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    assert_eq!(store.awaited().await?, [] as [Arc<str>; 0]);
    if keeps_none(&bench) {
        return Ok(());
    }
    let worker = store.waiter(&["g", "f"], &["paid", "asked"]).await?;
    store.deregister(worker, at(1)).await?;
    for client in [store, &other] {
        let awaited = client.awaited().await?;
        assert_eq!(awaited, ["asked", "paid"].map(Arc::<str>::from));
    }
    Ok(())
}

pub(super) async fn newly_awaited_type_finds_what_is_there(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    let paid = |id: &str| keyed(id, "paid", "k");
    store.publish_one(paid("too-early"), at(0)).await?;
    let run = store.begin(worker, "e").await?;
    let named = store.begin(worker, "named").await?;
    let mut delayed = paid("delayed");
    delayed.due_at = at(700);
    store
        .publish_all(vec![paid("one"), delayed, paid("two")], at(1))
        .await?;
    // A new version comes, and takes the run over.
    let worker = other.waiter(&["f"], &["paid"]).await?;
    other.publish_one(paid("three"), at(2)).await?;
    let entries = vec![payment(0, "k")];
    let suspend = Some(Transition::suspend(None));
    store.must_write(run.lease, entries, suspend, at(3)).await?;
    let run = other.take_one(worker, &["f"], at(3)).await?;
    assert_eq!(met(&run.arrivals), [(0, "one"), (0, "two"), (0, "three")]);
    // A wait for a type that nobody registered finds what is there as well.
    let refunds = ["r-1", "r-2"].map(|id| keyed(id, "refunded", "k"));
    store.publish_all(refunds.into(), at(4)).await?;
    let entry = union(0, &[("refunded", After::Start)], Some("k"));
    store
        .must_write(named.lease, vec![entry], None, at(5))
        .await?;
    store
        .publish_one(keyed("r-3", "refunded", "k"), at(6))
        .await?;
    let arrived = store.arrived(&[named.lease]).await?;
    assert_eq!(met(&arrived[0].1), [(0, "r-1"), (0, "r-2"), (0, "r-3")]);
    // What was delayed comes in its time.
    other.take(worker, &["f"], at(700)).await?;
    let arrived = other.arrived(&[run.lease]).await?;
    assert_eq!(met(&arrived[0].1).last(), Some(&(0, "delayed")));
    Ok(())
}

pub(super) async fn event_stays_while_a_run_could_look_back(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let awaits = vec![Awaits::new("f", ["paid"]), Awaits::new("g", ["returned"])];
    let functions = ["f", "g", "payments"].map(|id| subscription(id, &[id]));
    let request = Register::new(at(0), LEASE)
        .with_subscriptions(functions.into())
        .with_awaits(awaits);
    let worker = store.register(request).await?;
    store.publish_one(event("before", "paid"), at(0)).await?;
    let run = store.begin(worker, "e").await?;
    store.start("other", "g").await?;
    let after = [event("after", "paid"), event("unawaited", "sold")];
    store.publish_all(after.into(), at(0)).await?;
    let purged = store.purge(at(1_000), 10).await?;
    assert_eq!((purged.events, purged.more), (2, false));
    assert!(
        !is_there(store, "before").await?,
        "no run could look back to it"
    );
    assert!(is_there(store, "after").await?);
    // It goes once the run is over, though another function's run goes on.
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(run.lease, Vec::new(), complete, at(1))
        .await?;
    let purged = store.purge(at(1_000), 10).await?;
    assert_eq!(
        (purged.runs, purged.events),
        (1, 2),
        "and the one that came again"
    );
    assert!(!is_there(store, "after").await?);
    Ok(())
}

pub(super) async fn started_event_stays_for_others(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f", "paid"], &["paid"]).await?;
    let run = store.begin(worker, "e").await?;
    store.start("p", "paid").await?;
    let payment_run = store.take_one(worker, &["paid"], at(0)).await?;
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(payment_run.lease, Vec::new(), complete.clone(), at(1))
        .await?;
    let purged = store.purge(at(1_000), 10).await?;
    assert_eq!((purged.runs, purged.events), (1, 0));
    let entry = union(0, &[("paid", After::Start)], None);
    store
        .must_write(run.lease, vec![entry], None, at(2))
        .await?;
    assert_eq!(met(&store.arrived(&[run.lease]).await?[0].1), [(0, "p")]);
    store
        .must_write(run.lease, Vec::new(), complete, at(3))
        .await?;
    store.purge(at(1_000), 10).await?;
    assert!(!is_there(store, "p").await?);
    Ok(())
}

pub(super) async fn awaited_types_belong_to_sessions(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    // What an ended session awaited stands until a living one speaks for its program.
    let gone = store.waiter(&["f"], &["paid"]).await?;
    store.deregister(gone, at(0)).await?;
    let worker = store.worker(&["g"]).await?;
    let id = store.start("e", "f").await?;
    store.publish_one(event("one", "paid"), at(0)).await?;
    store.purge(at(1_000), 10).await?;
    assert!(is_there(store, "one").await?);
    // A new version waits for nothing, but the run may still do so.
    let newer = store.worker(&["f"]).await?;
    store.publish_one(event("two", "paid"), at(0)).await?;
    store.purge(at(1_000), 10).await?;
    assert!(is_there(store, "two").await?);
    let run = store.take_named(newer, &["f"], &id, at(0)).await?;
    let lease = run.expect("it is there").lease;
    let complete = Some(Transition::complete(ok("1")));
    store.must_write(lease, Vec::new(), complete, at(1)).await?;
    store.purge(at(1_000), 10).await?;
    assert!(!is_there(store, "one").await?);
    // Nobody awaits anything from here on.
    store.start("later", "f").await?;
    store.deregister(worker, at(0)).await?;
    store.publish_one(event("three", "paid"), at(0)).await?;
    store.purge(at(1_000), 10).await?;
    assert!(!is_there(store, "three").await?);
    Ok(())
}

pub(super) async fn purge_passes_what_must_stay(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let run = store.begin(worker, "e").await?;
    for number in 0..10 {
        let events = ["paid", "sold"].map(|kind| event(&format!("{kind}-{number}"), kind));
        store.publish_all(events.into(), at(0)).await?;
    }
    let removed = async || {
        let mut removed = Vec::new();
        for _ in 0..4 {
            let purged = store.purge(at(1_000), 4).await?;
            removed.push((purged.events, purged.more));
        }
        Result::Ok(removed)
    };
    let expected = [(4, true), (4, true), (2, false), (0, false)];
    assert_eq!(
        removed().await?,
        expected,
        "what must stay holds up nothing"
    );
    let complete = Some(Transition::complete(ok("1")));
    store
        .must_write(run.lease, Vec::new(), complete, at(1))
        .await?;
    assert_eq!(removed().await?, expected);
    Ok(())
}

pub(super) async fn clock_ahead_keeps_no_purge_from_others(bench: Bench) -> Result<()> {
    const YEAR: i64 = 365 * 86_400_000;
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    store.waiter(&["f"], &["paid"]).await?;
    store.publish_one(event("ahead", "paid"), at(YEAR)).await?;
    for number in 0..5 {
        let event = event(&format!("paid-{number}"), "paid");
        store.publish_one(event, at(0)).await?;
    }
    let purged = store.purge(at(1_000), 10).await?;
    assert_eq!((purged.events, purged.more), (5, false));
    Ok(())
}
