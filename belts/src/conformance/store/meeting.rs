//! An event and the wait for it, in either order and at once: they meet, and only once.

use super::{
    bench::{Bench, Client, at},
    waiting::{keeps_none, keyed, met, payment, union},
};
use crate::{
    error::Result,
    store::{After, ClaimedRun, Entry, Transition, WorkerId},
};

/// Records a wait, and suspends the run until something arrives.
pub(super) async fn wait(
    client: &Client,
    run: &ClaimedRun,
    entry: Entry,
    at_once: bool,
) -> Result<()> {
    let suspend = || Some(Transition::suspend(None));
    let entries = vec![entry];
    if at_once {
        return client
            .must_write(run.lease, entries, suspend(), at(1))
            .await;
    }
    client.must_write(run.lease, entries, None, at(1)).await?;
    client
        .must_write(run.lease, Vec::new(), suspend(), at(1))
        .await
}

/// The run is due, has met the event, and meets it no more once it has passed it.
async fn has_met(client: &Client, worker: WorkerId, id: &str, event: &str) -> Result<()> {
    let mut runs = client.take(worker, &["f"], at(1)).await?.runs;
    assert_eq!(runs.len(), 1, "the run and {event} missed each other");
    let run = runs.remove(0);
    assert_eq!((&*run.event_id, met(&run.arrivals)), (id, vec![(0, event)]));
    let passed = After::Place(run.arrivals[0].place);
    let passed = union(0, &[("paid", passed)], Some(id));
    let suspend = Some(Transition::suspend(None));
    client
        .must_write(run.lease, vec![passed], suspend, at(1))
        .await?;
    assert_eq!(client.record(&run.run_id).await?.due_at, None);
    assert!(client.cancel(&run.run_id, at(1)).await?);
    Ok(())
}

pub(super) async fn event_and_wait_meet_in_any_order(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.waiter(&["f"], &["paid"]).await?;
    for (key, event_first, at_once) in [
        ("a", true, true),
        ("b", true, false),
        ("c", false, true),
        ("d", false, false),
    ] {
        let run = store.begin(worker, key).await?;
        let paid = keyed(&format!("p-{key}"), "paid", key);
        if event_first {
            other.publish_one(paid, at(1)).await?;
            wait(store, &run, payment(0, key), at_once).await?;
        } else {
            wait(store, &run, payment(0, key), at_once).await?;
            other.publish_one(paid, at(1)).await?;
        }
        has_met(store, worker, key, &format!("p-{key}")).await?;
    }
    Ok(())
}

pub(super) async fn event_and_wait_meet_at_once(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let rounds = if bench.store.capabilities().durable {
        400
    } else {
        3_000
    };
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.waiter(&["f"], &["paid"]).await?;
    for round in 0..rounds {
        let key = format!("k-{round}");
        let run = store.begin(worker, &key).await?;
        let paid = keyed(&format!("p-{key}"), "paid", &key);
        let publishing = {
            let other = other.clone();
            tokio::spawn(async move { other.publish_one(paid, at(1)).await })
        };
        wait(store, &run, payment(0, &key), round % 2 == 0).await?;
        publishing.await.expect("the publish does not panic")?;
        has_met(store, worker, &key, &format!("p-{key}")).await?;
    }
    Ok(())
}

/// Nobody registered the types, so that the first wait for each makes the store begin to keep its events.
pub(super) async fn event_and_first_wait_of_its_type_meet(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    for round in 0..100 {
        let (id, kind) = (format!("e-{round}"), format!("type-{round}"));
        let run = store.begin(worker, &id).await?;
        let publishing = {
            let (other, event) = (other.clone(), keyed(&format!("p-{round}"), &kind, "k"));
            tokio::spawn(async move { other.publish_one(event, at(1)).await })
        };
        let entry = union(0, &[(&kind, After::Start)], Some("k"));
        let suspend = Some(Transition::suspend(None));
        store
            .must_write(run.lease, vec![entry], suspend, at(1))
            .await?;
        publishing.await.expect("the publish does not panic")?;
        let met_by = store.take_one(worker, &["f"], at(1)).await?;
        assert_eq!(met_by.arrivals.len(), 1, "round {round}");
        assert!(store.cancel(&run.run_id, at(1)).await?);
    }
    Ok(())
}

/// Several publishers and one run that takes event after event: it sees each once, in the order of their places.
pub(super) async fn each_event_is_found_once_in_order(bench: Bench) -> Result<()> {
    const EACH: usize = 40;
    const PUBLISHERS: usize = 3;
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.waiter(&["f"], &["paid"]).await?;
    let id = store.wait(worker, "e", vec![payment(0, "k")]).await?;
    let mut publishers = Vec::new();
    for publisher in 0..PUBLISHERS {
        let client = bench.another().await?;
        publishers.push(tokio::spawn(async move {
            for number in 0..EACH {
                let paid = keyed(&format!("{publisher}-{number}"), "paid", "k");
                client.publish_one(paid, at(1)).await?;
            }
            Result::Ok(())
        }));
    }
    let mut seen: Vec<(i64, String)> = Vec::new();
    while seen.len() < EACH * PUBLISHERS {
        let Some(run) = store.take(worker, &["f"], at(1)).await?.runs.pop() else {
            tokio::task::yield_now().await;
            continue;
        };
        assert!(!run.arrivals.is_empty(), "it is not made due for nothing");
        let arrivals = run.arrivals.iter();
        seen.extend(arrivals.map(|arrival| (arrival.place, arrival.event_id.to_string())));
        let last = seen.last().map_or(0, |(place, _)| *place);
        let passed = union(0, &[("paid", After::Place(last))], Some("k"));
        let suspend = Some(Transition::suspend(None));
        store
            .must_write(run.lease, vec![passed], suspend, at(1))
            .await?;
    }
    for publisher in publishers {
        publisher.await.expect("the publisher does not panic")?;
    }
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0), "{seen:?}");
    for publisher in 0..PUBLISHERS {
        let prefix = format!("{publisher}-");
        let own = seen.iter().filter_map(|(_, id)| id.strip_prefix(&prefix));
        let expected: Vec<String> = (0..EACH).map(|number| number.to_string()).collect();
        assert_eq!(own.collect::<Vec<_>>(), expected);
    }
    assert_eq!(store.record(&id).await?.due_at, None);
    Ok(())
}
