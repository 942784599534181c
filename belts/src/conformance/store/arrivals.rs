//! What has arrived for waits: when the run is due, and what a claim brings.

use super::{
    bench::{Bench, at, capacity, entry, event, ok, targeted},
    waiting::{keeps_none, keyed, met, payment, union},
};
use crate::{
    error::Result,
    store::{After, Arrival, Claim, RunFilter, RunStatus, Transition},
};

pub(super) async fn run_with_arrivals_is_due_at_once(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    for due_at in [None, Some(at(9_000))] {
        let run = store.begin(worker, &format!("e-{due_at:?}")).await?;
        store
            .must_write(run.lease, vec![payment(0, "k")], None, at(1))
            .await?;
        let id = format!("p-{due_at:?}");
        store.publish_one(keyed(&id, "paid", "k"), at(2)).await?;
        let suspend = Some(Transition::suspend(due_at));
        store
            .must_write(run.lease, Vec::new(), suspend, at(3))
            .await?;
        assert_eq!(store.record(&run.run_id).await?.due_at, Some(at(3)));
        let run = store.take_one(worker, &["f"], at(3)).await?;
        assert_eq!(met(&run.arrivals).last(), Some(&(0, &*id)));
        // Once it has looked at what is there, it waits for more.
        let last = run.arrivals.last().map_or(0, |arrival| arrival.place);
        let passed = union(0, &[("paid", After::Place(last))], Some("k"));
        let suspend = Some(Transition::suspend(due_at));
        store
            .must_write(run.lease, vec![passed], suspend, at(4))
            .await?;
        assert_eq!(store.record(&run.run_id).await?.due_at, due_at);
        assert!(store.cancel(&run.run_id, at(5)).await?);
    }
    Ok(())
}

pub(super) async fn run_without_a_time_waits_for_arrivals(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let id = store.wait(worker, "e", vec![payment(0, "k")]).await?;
    let record = store.record(&id).await?;
    assert_eq!((record.status, record.due_at), (RunStatus::Suspended, None));
    store
        .renew(worker, at(9_000_000), std::time::Duration::from_secs(1))
        .await?;
    let claimed = store.take(worker, &["f"], at(9_000_000)).await?;
    assert!(claimed.runs.is_empty() && claimed.next_due.is_none());
    assert_eq!(
        store.purge(at(9_000_000), 10).await?.runs,
        0,
        "it has not finished"
    );
    let functions = store.functions(at(9_000_000), 10).await?;
    assert_eq!(functions[0].unfinished, 1);
    let filter = RunFilter::new().with_statuses([RunStatus::Suspended]);
    assert_eq!(store.list(filter).await?.runs.len(), 1);
    // It is claimed by its name, and forgotten with its function.
    let named = store.take_named(worker, &["f"], &id, at(9_000_000)).await?;
    let lease = named.expect("it is there").lease;
    let suspend = Some(Transition::suspend(None));
    store
        .must_write(lease, Vec::new(), suspend, at(9_000_000))
        .await?;
    store.deregister(worker, at(9_000_000)).await?;
    assert_eq!(store.forget("f", at(9_000_000), 10).await?.runs, 1);
    assert_eq!(store.record(&id).await?.status, RunStatus::Cancelled);
    Ok(())
}

pub(super) async fn pause_is_kept_whatever_arrives(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let transitions = [
        Transition::retry(at(500), 1, ok("\"why\"")),
        Transition::put_off(at(500)),
    ];
    for (nth, transition) in transitions.into_iter().enumerate() {
        let key = format!("k-{nth}");
        let run = store.begin(worker, &key).await?;
        store
            .must_write(run.lease, vec![payment(0, &key)], None, at(1))
            .await?;
        store
            .publish_one(keyed(&format!("a-{nth}"), "paid", &key), at(2))
            .await?;
        store
            .must_write(run.lease, Vec::new(), Some(transition), at(3))
            .await?;
        store
            .publish_one(keyed(&format!("b-{nth}"), "paid", &key), at(4))
            .await?;
        assert_eq!(store.record(&run.run_id).await?.due_at, Some(at(500)));
        let run = store.take_one(worker, &["f"], at(500)).await?;
        assert_eq!(run.arrivals.len(), 2);
        let suspend = Some(Transition::suspend(at(900)));
        store
            .must_write(run.lease, Vec::new(), suspend, at(501))
            .await?;
        assert_eq!(
            store.record(&run.run_id).await?.due_at,
            Some(at(501)),
            "the pause is over"
        );
        assert!(store.cancel(&run.run_id, at(502)).await?);
    }
    Ok(())
}

pub(super) async fn earliest_arrivals_come_first(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid", "returned"]).await?;
    let both = [("returned", After::Start), ("paid", After::Start)];
    let entries = vec![
        payment(9, "k"),
        entry(5, "step", "1"),
        union(2, &both, Some("k")),
    ];
    store.wait(worker, "e", entries).await?;
    let mut events = Vec::new();
    for number in 0..20 {
        let event_type = if number % 2 == 0 { "paid" } else { "returned" };
        events.push(keyed(&format!("{number:02}"), event_type, "k"));
    }
    store.publish_all(events, at(2)).await?;
    let run = store.take_one(worker, &["f"], at(2)).await?;
    let of = |seq| {
        let met = met(&run.arrivals)
            .into_iter()
            .filter(move |(of, _)| *of == seq);
        met.map(|(_, id)| id.to_owned()).collect::<Vec<_>>()
    };
    let first: Vec<String> = (0..Arrival::MOST)
        .map(|number| format!("{number:02}"))
        .collect();
    assert_eq!(
        of(2),
        first,
        "no more than so many a wait, in the order of publishing"
    );
    let even: Vec<String> = (0..20)
        .step_by(2)
        .map(|number| format!("{number:02}"))
        .collect();
    assert_eq!(of(9), even);
    let order: Vec<_> = run
        .arrivals
        .iter()
        .map(|arrival| (arrival.seq, arrival.place))
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    let arrived = store.arrived(&[run.lease]).await?;
    assert_eq!(
        arrived[0].1, run.arrivals,
        "they are the same for who asks again"
    );
    Ok(())
}

pub(super) async fn arrivals_are_bounded_in_bytes(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    for id in ["a", "b"] {
        store
            .wait(worker, id, vec![payment(0, "k"), payment(1, "l")])
            .await?;
    }
    for key in ["k", "l"] {
        for number in 0..4 {
            let mut paid = keyed(&format!("{key}-{number}"), "paid", key);
            paid.payload = vec![b' '; 1_000].into();
            store.publish_one(paid, at(2)).await?;
        }
    }
    let claim = |bytes| Claim::new(capacity(worker, 10, &["f"]), at(2)).with_max_bytes(bytes);
    let mut claimed = store.claim(claim(10)).await?;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!(
        claimed.next_due,
        Some(at(0)),
        "there was no room for the other one"
    );
    let run = claimed.runs.remove(0);
    assert_eq!(
        met(&run.arrivals),
        [(0, "k-0"), (1, "l-0")],
        "the first of each wait"
    );
    let mut claimed = store.claim(claim(3_500)).await?;
    let run = claimed.runs.remove(0);
    assert_eq!(met(&run.arrivals), [(0, "k-0"), (0, "k-1"), (1, "l-0")]);
    Ok(())
}

pub(super) async fn targeted_event_is_found_by_no_wait(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["targeted"]).await?;
    let anything = union(0, &[("targeted", After::Start)], None);
    let id = store.wait(worker, "e", vec![anything]).await?;
    let mut delayed = targeted("d", "g", None);
    delayed.due_at = at(100);
    store
        .publish_all(vec![targeted("t", "g", None), delayed], at(2))
        .await?;
    assert_eq!(store.record(&id).await?.due_at, None);
    let claimed = store.take(worker, &["f"], at(200)).await?;
    assert!(claimed.runs.is_empty() && claimed.next_due.is_none());
    store.publish_one(event("p", "targeted"), at(201)).await?;
    let run = store.take_one(worker, &["f"], at(201)).await?;
    assert_eq!(met(&run.arrivals), [(0, "p")]);
    Ok(())
}

pub(super) async fn no_place_is_given_twice(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let mut last = 0;
    for round in 0..4 {
        let run = store.begin(worker, &format!("e-{round}")).await?;
        store
            .must_write(run.lease, vec![payment(0, "k")], None, at(1))
            .await?;
        for number in 0..2 {
            let again = keyed(&format!("p-{round}-{number}"), "paid", "k");
            store.publish_all(vec![again.clone(), again], at(2)).await?;
        }
        let arrived = store.arrived(&[run.lease]).await?.remove(0).1;
        assert_eq!(arrived.len(), 2, "what is published twice has one place");
        for arrival in &arrived {
            assert!(arrival.place > last, "{} is behind {last}", arrival.place);
            last = arrival.place;
        }
        let complete = Some(Transition::complete(ok("1")));
        store
            .must_write(run.lease, Vec::new(), complete, at(3))
            .await?;
        store.purge(at(1_000), 100).await?;
        let gone = store
            .publish_all(vec![keyed("p-0-0", "paid", "x")], at(0))
            .await?;
        assert!(!gone[0].duplicate, "the purge has removed everything");
        store.purge(at(1_000), 100).await?;
    }
    Ok(())
}
