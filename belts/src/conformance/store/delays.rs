//! Events that fall due: when they arrive, and where they stand among others.

use super::{
    bench::{Bench, LEASE, at, event},
    waiting::{keeps_none, keyed, met, payment, union},
};
use crate::{error::Result, store::After};

pub(super) async fn delayed_event_arrives_when_it_is_due(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let stranger = other.worker(&["g"]).await?;
    let id = store.wait(worker, "e", vec![payment(0, "k")]).await?;
    let mut delayed = keyed("delayed", "paid", "k");
    delayed.due_at = at(100);
    store.publish_one(delayed, at(2)).await?;
    store
        .publish_one(keyed("plain", "paid", "l"), at(3))
        .await?;
    assert_eq!(store.record(&id).await?.due_at, None);
    for (client, worker, function) in [(store, worker, "f"), (&other, stranger, "g")] {
        let early = client.take(worker, &[function], at(99)).await?;
        assert!(early.runs.is_empty());
        assert_eq!(early.next_due, Some(at(100)), "somebody must look then");
    }
    assert_eq!(other.take(stranger, &["g"], at(100)).await?.next_due, None);
    assert_eq!(store.record(&id).await?.due_at, Some(at(100)));
    let run = store.take_one(worker, &["f"], at(100)).await?;
    assert_eq!(met(&run.arrivals), [(0, "delayed")]);
    Ok(())
}

pub(super) async fn delayed_event_counts_from_its_time(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid", "f"]).await?;
    let delayed = |id: &str, event_type, millis| {
        let mut event = keyed(id, event_type, "k");
        event.due_at = at(millis);
        event
    };
    let events = ["a", "b"].map(|id| delayed(id, "paid", if id == "a" { 10 } else { 40 }));
    store.publish_all(events.into(), at(0)).await?;
    // It starts its run at 20, and a claim that comes later than what was published after it changes nothing.
    store.publish_one(delayed("start", "f", 20), at(0)).await?;
    for (id, millis) in [("early", 15), ("late", 25)] {
        let mut plain = delayed(id, "paid", millis);
        plain.due_at = at(millis);
        store.publish_one(plain, at(millis)).await?;
    }
    let run = store.take_one(worker, &["f"], at(50)).await?;
    let both = [("paid", After::Start), ("f", After::Start)];
    let entries = vec![union(0, &both, Some("k"))];
    store.must_write(run.lease, entries, None, at(51)).await?;
    let arrived = store.arrived(&[run.lease]).await?;
    assert_eq!(met(&arrived[0].1), [(0, "late"), (0, "b")]);
    Ok(())
}

pub(super) async fn clock_set_back_delays_no_arrival(bench: Bench) -> Result<()> {
    const HOUR: i64 = 3_600_000;
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let id = store.wait(worker, "e", vec![payment(0, "k")]).await?;
    let delayed = |id: &str, millis| {
        let mut event = keyed(id, "paid", "k");
        event.due_at = at(millis);
        event
    };
    let events = vec![delayed("due", HOUR), delayed("later", HOUR + 60_000)];
    store.publish_all(events, at(2)).await?;
    store.renew(worker, at(HOUR), LEASE).await?;
    assert_eq!(store.record(&id).await?.due_at, None, "nobody has looked");
    // The clock is set back by an hour.
    store.renew(worker, at(5), LEASE).await?;
    let run = store.take_one(worker, &["f"], at(5)).await?;
    assert_eq!(met(&run.arrivals), [(0, "due")]);
    // What is published from then on comes at once.
    store
        .publish_one(keyed("plain", "paid", "k"), at(6))
        .await?;
    let arrived = store.arrived(&[run.lease]).await?;
    assert_eq!(met(&arrived[0].1), [(0, "due"), (0, "plain")]);
    Ok(())
}

pub(super) async fn start_counts_from_no_later_than_the_run(bench: Bench) -> Result<()> {
    const YEAR: i64 = 365 * 86_400_000;
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let published = store.publish_all(vec![event("e", "f")], at(YEAR)).await?;
    let id = &published[0].runs[0].run_id;
    let run = store.take_named(worker, &["f"], id, at(5)).await?;
    let lease = run.expect("it is there").lease;
    // Of these types nobody awaits the second by then.
    for event_type in ["paid", "sold"] {
        let mut delayed = keyed(&format!("delayed-{event_type}"), event_type, "k");
        delayed.due_at = at(100);
        let plain = keyed(&format!("plain-{event_type}"), event_type, "k");
        store.publish_all(vec![delayed, plain], at(6)).await?;
    }
    for (seq, event_type) in [(0, "paid"), (1, "sold")] {
        let entry = union(seq, &[(event_type, After::Start)], Some("k"));
        store.must_write(lease, vec![entry], None, at(200)).await?;
    }
    let arrived = store.arrived(&[lease]).await?.remove(0).1;
    let expected = [
        (0, "plain-paid"),
        (0, "delayed-paid"),
        (1, "plain-sold"),
        (1, "delayed-sold"),
    ];
    assert_eq!(met(&arrived), expected);
    Ok(())
}

/// A store may give places to no more than so many events at a time.
pub(super) async fn wait_finds_all_that_fell_due(bench: Bench) -> Result<()> {
    const MANY: usize = 1_100;
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let run = store.begin(worker, "e").await?;
    for nth in 0..2 {
        let mut events: Vec<_> = (0..MANY)
            .map(|number| keyed(&format!("{nth}-{number}"), "paid", "other"))
            .collect();
        events.push(keyed(&format!("last-{nth}"), "paid", "k"));
        for event in &mut events {
            event.due_at = at(100 * (nth + 1));
        }
        store.publish_all(events, at(1)).await?;
    }
    // The first of them are given their places by a wait, the others by an event.
    let since = [After::Start, After::Now];
    let entries = (0..).zip(since);
    let entries = entries.map(|(seq, after)| union(seq, &[("paid", after)], Some("k")));
    store
        .must_write(run.lease, entries.collect(), None, at(150))
        .await?;
    let arrived = async || {
        let mut arrived = store.arrived(&[run.lease]).await?;
        let arrivals = arrived.pop().map(|(_, arrivals)| arrivals);
        Result::Ok(arrivals.unwrap_or_default())
    };
    assert_eq!(met(&arrived().await?), [(0, "last-0")]);
    let mut plain = keyed("plain", "paid", "k");
    plain.due_at = at(250);
    store.publish_one(plain, at(250)).await?;
    let expected = [
        (0, "last-0"),
        (0, "last-1"),
        (0, "plain"),
        (1, "last-1"),
        (1, "plain"),
    ];
    assert_eq!(met(&arrived().await?), expected);
    Ok(())
}
