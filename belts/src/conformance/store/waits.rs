//! Waits of journal entries: how they open, what they match, and how they move.

use std::{sync::Arc, time::Duration};

use super::{
    bench::{Bench, at, event},
    waiting::{cursor, keeps_none, keyed, met, payment, union},
};
use crate::{
    error::Result,
    store::{After, Arrival, Entry, RunStatus, Timestamp, Transition, Wait},
};

/// Far more than a wake-up takes, and less than a test may take.
const SOON: Duration = Duration::from_secs(10);

pub(super) async fn wait_comes_back_with_places(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid", "returned"]).await?;
    let types = [("paid", After::Start), ("returned", After::Now)];
    let entry = union(0, &types, Some("o-\u{0}17 ☂")).with_due_at(at(900));
    let run = store.begin(worker, "e").await?;
    let entries = vec![entry.clone(), payment(1, "o-17")];
    let suspend = Some(Transition::suspend(at(900)));
    store.must_write(run.lease, entries, suspend, at(1)).await?;
    let claimed = bench.another().await?;
    let claimed = claimed.take_one(worker, &["f"], at(900)).await?;
    assert_eq!(claimed.journal.len(), 2);
    assert_eq!(claimed.journal, store.journal(&run.run_id).await?);
    let mut back = claimed.journal[0].clone();
    cursor(&back);
    let Some(Wait::Event { types, key }) = back.wait.take() else {
        panic!("the wait comes back");
    };
    assert_eq!(key.as_deref(), Some("o-\u{0}17 ☂"));
    let types: Vec<&str> = types.iter().map(|awaited| &*awaited.event_type).collect();
    assert_eq!(types, ["paid", "returned"]);
    let plain = Entry {
        wait: None,
        ..entry
    };
    assert_eq!(back, plain, "the rest is as it was written");
    Ok(())
}

pub(super) async fn event_makes_every_run_due_that_waits(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let mut runs = Vec::new();
    for id in ["a", "b"] {
        runs.push(store.wait(worker, id, vec![payment(3, "o-17")]).await?);
    }
    let still = store.wait(worker, "c", vec![payment(3, "o-18")]).await?;
    let early = store.take(worker, &["f"], at(20_000)).await?;
    assert!(early.runs.is_empty() && early.next_due.is_none());
    other
        .publish_one(keyed("p", "paid", "o-17"), at(50))
        .await?;
    for run in &runs {
        let record = store.record(run).await?;
        assert_eq!(record.status, RunStatus::Suspended);
        assert!(record.due_at.is_some_and(|due_at| due_at <= at(50)));
    }
    assert_eq!(store.record(&still).await?.due_at, None);
    let claimed = store.take(worker, &["f"], at(50)).await?.runs;
    assert_eq!(claimed.len(), 2, "each of them gets the event");
    for run in claimed {
        assert_eq!(run.arrivals.len(), 1);
        let arrival = &run.arrivals[0];
        let expected = Arrival::new(3, arrival.place, "p", "paid", *b"{\"a\":1}");
        assert_eq!(*arrival, expected);
        assert!(arrival.place > cursor(&run.journal[0]));
    }
    Ok(())
}

pub(super) async fn wait_matches_type_and_key(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid", "Paid", "returned"]).await?;
    let with = |key| store.wait(worker, key, vec![payment(0, key)]);
    for key in ["o-1", "O-1", "o-1 ", "", "o-1\u{0}", "ö", "o\u{308}"] {
        with(key).await?;
    }
    let without = union(0, &[("paid", After::Start)], None);
    store.wait(worker, "without", vec![without]).await?;
    let other = union(0, &[("Paid", After::Start)], Some("o-1"));
    store.wait(worker, "other", vec![other]).await?;
    let any = [("returned", After::Start), ("paid", After::Start)];
    store
        .wait(worker, "any", vec![union(0, &any, Some("u"))])
        .await?;
    for (key, started_by) in [
        (Some("o-1"), "o-1"),
        (Some("O-1"), "O-1"),
        (Some("o-1 "), "o-1 "),
        (Some(""), ""),
        (Some("o-1\u{0}"), "o-1\u{0}"),
        (Some("ö"), "ö"),
        (Some("o\u{308}"), "o\u{308}"),
        (None, "without"),
        (Some("u"), "any"),
    ] {
        let mut paid = event(&format!("paid-{started_by}"), "paid");
        paid.correlation_key = key.map(Arc::from);
        store.publish_one(paid, at(2)).await?;
        let run = store.take_one(worker, &["f"], at(2)).await?;
        assert_eq!(&*run.event_id, started_by, "{key:?} is for one run alone");
        assert_eq!(run.arrivals.len(), 1);
    }
    Ok(())
}

pub(super) async fn event_before_the_wait_is_found(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["f", "paid"]).await?;
    let before = [keyed("too-early", "paid", "k"), keyed("start", "f", "k")];
    store.publish_all(before.into(), at(0)).await?;
    let run = store.take_one(worker, &["f"], at(0)).await?;
    // Clocks do not matter: the one that is published later counts as later.
    let after = [keyed("one", "paid", "k"), keyed("two", "f", "k")];
    store.publish_all(after.into(), at(-500)).await?;
    store
        .publish_one(keyed("three", "paid", "k"), at(3))
        .await?;
    // Two starts a run of its own.
    assert_eq!(store.take(worker, &["f"], at(3)).await?.runs.len(), 1);
    let both = [("f", After::Start), ("paid", After::Start)];
    let entries = vec![union(0, &both, Some("k"))];
    let suspend = Some(Transition::suspend(None));
    store.must_write(run.lease, entries, suspend, at(4)).await?;
    let run = store.take_one(worker, &["f"], at(4)).await?;
    assert_eq!(met(&run.arrivals), [(0, "one"), (0, "two"), (0, "three")]);
    Ok(())
}

pub(super) async fn wait_begins_where_it_says(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let run = store.begin(worker, "e").await?;
    for (id, millis) in [("a", 10), ("b", 20), ("c", 30)] {
        let mut paid = keyed(id, "paid", "k");
        paid.due_at = at(millis);
        store.publish_one(paid, at(millis)).await?;
    }
    let entries = [
        After::Start,
        After::Time(at(20)),
        After::Now,
        After::Time(at(31)),
        After::Time(Timestamp::from_millis(i64::MIN)),
    ];
    let entries = (0..).zip(entries);
    let entries = entries.map(|(seq, after)| union(seq, &[("paid", after)], Some("k")));
    store
        .must_write(run.lease, entries.collect(), None, at(40))
        .await?;
    store.publish_one(keyed("d", "paid", "k"), at(50)).await?;
    let back = store.arrived(&[run.lease]).await?;
    let arrivals = &back[0].1;
    let of = |seq| -> String {
        let met = met(arrivals).into_iter().filter(|(of, _)| *of == seq);
        met.map(|(_, id)| id).collect()
    };
    assert_eq!(
        [of(0), of(1), of(2), of(3), of(4)],
        ["abcd", "bcd", "d", "d", "abcd"]
    );
    // Behind a place that was seen.
    let place = arrivals[1].place;
    let entry = union(7, &[("paid", After::Place(place))], Some("k"));
    store
        .must_write(run.lease, vec![entry], None, at(60))
        .await?;
    let back = store.arrived(&[run.lease]).await?;
    let last: Vec<_> = met(&back[0].1)
        .into_iter()
        .filter(|(seq, _)| *seq == 7)
        .collect();
    assert_eq!(last, [(7, "c"), (7, "d")]);
    Ok(())
}

pub(super) async fn wait_written_again_looks_further_on(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid", "returned"]).await?;
    let run = store.begin(worker, "e").await?;
    let types = |paid, returned| union(0, &[("paid", paid), ("returned", returned)], Some("k"));
    let first = types(After::Start, After::Start);
    store
        .must_write(run.lease, vec![first.clone()], None, at(1))
        .await?;
    let events = [
        ("p1", "paid"),
        ("r1", "returned"),
        ("p2", "paid"),
        ("r2", "returned"),
    ];
    let events = events.map(|(id, event_type)| keyed(id, event_type, "k"));
    store.publish_all(events.into(), at(2)).await?;
    let arrived = async || Result::Ok(store.arrived(&[run.lease]).await?.remove(0).1);
    let all = arrived().await?;
    assert_eq!(met(&all), [(0, "p1"), (0, "r1"), (0, "p2"), (0, "r2")]);
    // Each type of a union is looked for behind a place of its own.
    let moved = types(After::Place(all[2].place), After::Place(0));
    store
        .must_write(run.lease, vec![moved], None, at(3))
        .await?;
    assert_eq!(met(&arrived().await?), [(0, "r1"), (0, "r2")]);
    // What was passed stays passed, whatever is written again.
    store
        .must_write(run.lease, vec![first], None, at(4))
        .await?;
    assert_eq!(met(&arrived().await?), [(0, "r1"), (0, "r2")]);
    let back = types(After::Place(0), After::Place(all[1].place));
    store.must_write(run.lease, vec![back], None, at(5)).await?;
    assert_eq!(met(&arrived().await?), [(0, "r2")]);
    Ok(())
}

pub(super) async fn driven_run_hears_of_what_arrives(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let run = store.begin(worker, "e").await?;
    let idle = store.begin(worker, "idle").await?;
    store
        .must_write(run.lease, vec![payment(0, "k")], None, at(1))
        .await?;
    let leases = [idle.lease, run.lease];
    assert!(store.arrived(&leases).await?.is_empty());
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move {
            while store.arrived(&[run.lease]).await?.is_empty() {
                store.woken().await;
            }
            Result::Ok(())
        })
    };
    other.publish_one(keyed("p", "paid", "k"), at(2)).await?;
    let heard = tokio::time::timeout(SOON, waiting).await;
    heard.expect("it is woken").expect("it does not panic")?;
    assert!(
        store.take(worker, &["f"], at(2)).await?.runs.is_empty(),
        "it keeps its lease"
    );
    let arrived = store.arrived(&leases).await?;
    assert_eq!(arrived.len(), 1);
    assert_eq!(
        (arrived[0].0, met(&arrived[0].1)),
        (run.lease, vec![(0, "p")])
    );
    // A lease that was lost is told nothing.
    assert!(store.cancel(&run.run_id, at(3)).await?);
    assert!(store.arrived(&leases).await?.is_empty());
    Ok(())
}
