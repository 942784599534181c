//! Flow options by which events share a run: `debounce` and `batch`.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    bench::{Bench, Client, at, event, ok, subscription},
    flowing::{flowing, has_none, secs},
};
use crate::{
    error::Result,
    store::{
        Batch, Debounce, Flow, NewEvent, Rate, Route, Routed, Routing, Timestamp, Transition,
        WorkerId,
    },
};

/// How many events several clients publish at once.
const EACH: usize = 20;

pub(super) fn debounce() -> Flow {
    Flow::new().with_debounce(Debounce::new("k", secs(5)).with_max(secs(12)))
}

pub(super) fn batch(size: u32) -> Flow {
    Flow::new().with_batch(Batch::new("k", size, secs(5)))
}

impl Client {
    /// The ids of the events of a run.
    pub(super) async fn events_of(&self, run: &str) -> Result<Vec<String>> {
        let events = self.batch(run).await?;
        Ok(events.iter().map(|event| event.id.to_string()).collect())
    }

    /// The only run that is due, which is claimed: its events.
    async fn collected(&self, worker: WorkerId, now: Timestamp) -> Result<Vec<String>> {
        let run = self.take_one(worker, &["f"], now).await?;
        assert_eq!(run.routing, Routing::Held);
        self.events_of(&run.run_id).await
    }
}

pub(super) async fn debounce_keeps_the_last_event(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    for (id, now) in [("a", 0), ("b", 1_000), ("c", 4_000)] {
        let run = store.flow(id, &debounce(), at(now)).await?;
        assert_eq!(run.routed, Some(Routed::waits(Some(at(now + 5_000)))));
        let why = format!("debounced until {}", at(now + 5_000));
        assert_eq!(
            store.record(&run.run_id).await?.why().as_deref(),
            Some(&*why)
        );
    }
    assert_eq!(store.due_runs(worker, at(8_999)).await?.len(), 0);
    assert_eq!(store.collected(worker, at(9_000)).await?, ["c"]);
    let other = Flow::new().with_debounce(Debounce::new("l", secs(5)));
    store.flow("d", &other, at(9_001)).await?;
    store.flow("e", &debounce(), at(9_001)).await?;
    assert_eq!(
        store.due_runs(worker, at(14_001)).await?.len(),
        2,
        "each key has its own"
    );
    Ok(())
}

pub(super) async fn debounce_ends_at_its_maximum(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    for (n, now) in [0, 4_000, 8_000, 11_999].into_iter().enumerate() {
        store.flow(&format!("e{n}"), &debounce(), at(now)).await?;
    }
    assert_eq!(store.collected(worker, at(12_000)).await?, ["e3"]);
    Ok(())
}

pub(super) async fn nothing_is_folded_into_a_run_that_began(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    for (name, flow) in [("debounce", debounce()), ("batch", batch(10))] {
        let first = store.flow(&format!("{name}-a"), &flow, at(0)).await?;
        let run = store.take_one(worker, &["f"], at(5_000)).await?;
        let second = store.flow(&format!("{name}-b"), &flow, at(5_000)).await?;
        assert_ne!(first.run_id, second.run_id);
        // Nor into one that a worker has died with.
        store
            .must_write(
                run.lease,
                Vec::new(),
                Some(Transition::suspend(at(5_001))),
                at(5_001),
            )
            .await?;
        let third = store.flow(&format!("{name}-c"), &flow, at(5_002)).await?;
        assert_ne!(first.run_id, third.run_id);
        assert_eq!(store.events_of(&first.run_id).await?, [format!("{name}-a")]);
        store.cancel(&first.run_id, at(5_003)).await?;
        store.cancel(&second.run_id, at(5_003)).await?;
        store.cancel(&third.run_id, at(5_003)).await?;
        let later = store.flow(&format!("{name}-d"), &flow, at(5_004)).await?;
        assert_eq!(
            store.events_of(&later.run_id).await?,
            [format!("{name}-d")],
            "nor into one that was cancelled"
        );
        store.cancel(&later.run_id, at(5_005)).await?;
    }
    Ok(())
}

pub(super) async fn debounce_keeps_the_last_also_when_they_cross(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    // The first is of a publisher that does not know the function: it is routed after the second.
    store.publish_all(vec![event("first", "f")], at(0)).await?;
    let second = store.flow("second", &debounce(), at(1)).await?;
    let run = store.take_one(worker, &["f"], at(2)).await?;
    let routed = store
        .route(Route::new(run.lease, "f", debounce(), at(2)))
        .await?;
    assert_eq!(routed, Routed::joined(Arc::clone(&second.run_id)));
    assert!(store.run(&run.run_id).await?.is_none());
    assert_eq!(store.due_runs(worker, at(5_001)).await?.len(), 0);
    assert_eq!(store.collected(worker, at(5_002)).await?, ["second"]);
    // The same where the later one has begun.
    store
        .publish_all(vec![event("third", "f")], at(6_000))
        .await?;
    let fourth = store.flow("fourth", &debounce(), at(6_000)).await?;
    for run in store.due_runs(worker, at(11_000)).await? {
        if &*run.event_id == "third" {
            let route = Route::new(run.lease, "f", debounce(), at(11_000));
            let routed = store.route(route).await?;
            assert_eq!(routed, Routed::joined(Arc::clone(&fourth.run_id)));
        }
    }
    assert_eq!(store.due_runs(worker, at(60_000)).await?.len(), 0);
    Ok(())
}

pub(super) async fn batch_collects_in_order_up_to_its_size(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let first = store.flow("a", &batch(3), at(0)).await?;
    assert_eq!(first.routed, Some(Routed::waits(Some(at(5_000)))));
    let why = format!("collects a batch until {}", at(5_000));
    assert_eq!(
        store.record(&first.run_id).await?.why().as_deref(),
        Some(&*why)
    );
    for id in ["b", "c"] {
        let run = store.flow(id, &batch(3), at(1)).await?;
        assert_eq!(run.routed, Some(Routed::joined(Arc::clone(&first.run_id))));
        assert_eq!(run.run_id, first.run_id);
    }
    store.flow("d", &batch(3), at(2)).await?;
    assert_eq!(
        store.collected(worker, at(2)).await?,
        ["a", "b", "c"],
        "it is full"
    );
    let known = store
        .publish_all(vec![flowing("b", &batch(3), at(3))], at(3))
        .await?;
    assert!(known[0].duplicate);
    assert_eq!(known[0].runs[0].run_id, first.run_id, "that is its run");
    store.flow("e", &batch(3), at(3_000)).await?;
    assert_eq!(store.due_runs(worker, at(5_001)).await?.len(), 0);
    assert_eq!(
        store.collected(worker, at(5_002)).await?,
        ["d", "e"],
        "its time is over"
    );
    Ok(())
}

/// Those that another program has published are in their places.
pub(super) async fn batch_is_in_the_order_of_publishing(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.publish_all(vec![event("a", "f")], at(0)).await?;
    let open = store.flow("b", &batch(3), at(1)).await?;
    let run = store.take_one(worker, &["f"], at(2)).await?;
    let routed = store
        .route(Route::new(run.lease, "f", batch(3), at(2)))
        .await?;
    assert_eq!(routed, Routed::joined(Arc::clone(&open.run_id)));
    store.flow("c", &batch(3), at(3)).await?;
    assert_eq!(store.collected(worker, at(3)).await?, ["a", "b", "c"]);
    Ok(())
}

pub(super) async fn events_of_a_batch_stay_with_its_run(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    // They start another function as well, whose runs are gone first.
    let wants = vec![subscription("f", &["f"]), subscription("g", &["f"])];
    let worker = store.subscribe(wants).await?;
    for id in ["a", "b"] {
        store
            .publish_all(vec![flowing(id, &batch(2), at(0))], at(0))
            .await?;
    }
    for run in store.take(worker, &["g"], at(1)).await?.runs {
        let end = Some(Transition::complete(ok("1")));
        store.must_write(run.lease, Vec::new(), end, at(1)).await?;
    }
    let run = store.take_one(worker, &["f"], at(1)).await?;
    store.purge(at(100_000), 100).await?;
    assert_eq!(store.events_of(&run.run_id).await?, ["a", "b"]);
    let end = Some(Transition::complete(ok("1")));
    store.must_write(run.lease, Vec::new(), end, at(2)).await?;
    while store.purge(at(100_000), 100).await?.more {}
    store.purge(at(100_000), 100).await?;
    let again = vec![flowing("b", &batch(2), at(200_000))];
    let again = store.publish_all(again, at(200_000)).await?;
    assert!(!again[0].duplicate, "it went with its run");
    two_batches_have_the_same_events(store).await
}

/// Of two functions that collect the same events one run goes before the other.
async fn two_batches_have_the_same_events(store: &Client) -> Result<()> {
    let wants = vec![subscription("f", &["t"]), subscription("g", &["t"])];
    let worker = store.subscribe(wants).await?;
    for id in ["x", "y"] {
        let flows = ["f", "g"].map(|function| (function.into(), batch(2)));
        let two = NewEvent::new(id, "t", *b"{}", at(300_000)).with_flows(flows.into());
        store.publish_all(vec![two], at(300_000)).await?;
    }
    let mut kept = Vec::new();
    for run in store.take(worker, &["f", "g"], at(300_001)).await?.runs {
        if &*run.function_id == "f" {
            let end = Some(Transition::complete(ok("1")));
            store
                .must_write(run.lease, Vec::new(), end, at(300_001))
                .await?;
        } else if &*run.event_type == "t" {
            kept.push(run);
        }
    }
    while store.purge(at(400_000), 100).await?.more {}
    store.purge(at(400_000), 100).await?;
    assert_eq!(kept.len(), 1);
    assert_eq!(store.events_of(&kept[0].run_id).await?, ["x", "y"]);
    Ok(())
}

pub(super) async fn held_run_takes_its_turn(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let flow = |key: &str| {
        Flow::new()
            .with_debounce(Debounce::new(key, secs(5)))
            .with_throttle(Rate::new("all", 1, secs(1)))
    };
    for key in ["a", "b", "c"] {
        store.flow(key, &flow(key), at(0)).await?;
    }
    let mut turns = Vec::new();
    for run in store.due_runs(worker, at(5_000)).await? {
        assert_eq!(run.routing, Routing::Held);
        turns.push(
            store
                .route(Route::new(run.lease, "f", flow("?"), at(5_000)))
                .await?,
        );
    }
    let waits = |millis| Routed::waits(Some(at(millis)));
    assert_eq!(turns, [Routed::Starts, waits(6_000), waits(7_000)]);
    let run = store.take_one(worker, &["f"], at(6_000)).await?;
    assert_eq!(run.routing, Routing::Done);
    // A delayed event asks at its time.
    let throttled = Flow::new().with_throttle(Rate::new("late", 1, secs(60)));
    let mut late = flowing("late", &throttled, at(50_000));
    late.due_at = at(60_000);
    store.publish_all(vec![late], at(50_000)).await?;
    assert_eq!(
        store.flow("soon", &throttled, at(50_000)).await?.routed,
        None
    );
    Ok(())
}

/// Events that are delayed are collected when they are due.
pub(super) async fn delayed_events_are_collected_at_their_time(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut late = flowing("late", &batch(10), at(0));
    late.due_at = at(10_000);
    store.publish_all(vec![late], at(0)).await?;
    store.flow("now", &batch(10), at(0)).await?;
    assert_eq!(store.collected(worker, at(5_000)).await?, ["now"]);
    let run = store.take_one(worker, &["f"], at(10_000)).await?;
    assert_eq!(run.routing, Routing::Not);
    let routed = store
        .route(Route::new(run.lease, "f", batch(10), at(10_000)))
        .await?;
    assert_eq!(routed, Routed::waits(Some(at(15_000))));
    Ok(())
}

/// Claims what is due, and adds its events.
async fn collect(
    store: &Client,
    worker: WorkerId,
    now: Timestamp,
    seen: &mut Vec<String>,
) -> Result<()> {
    for run in store.due_runs(worker, now).await? {
        let events = store.events_of(&run.run_id).await?;
        assert!((1..=4).contains(&events.len()), "{events:?}");
        seen.extend(events);
    }
    Ok(())
}

/// Clients publish while others claim: each event is in one run, and no batch is over its size.
pub(super) async fn events_are_collected_at_once(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let worker = bench.store.worker(&["f"]).await?;
    let mut tasks = Vec::new();
    for client in 0..3 {
        let store = bench.another().await?;
        tasks.push(tokio::spawn(async move {
            for n in 0..EACH {
                store
                    .flow(&format!("b-{client}-{n}"), &batch(4), at(0))
                    .await?;
            }
            Ok::<_, crate::Error>(())
        }));
    }
    let mut seen = Vec::new();
    let store = &bench.store;
    while tasks.iter().any(|task| !task.is_finished()) {
        collect(store, worker, at(0), &mut seen).await?;
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.expect("publishing does not panic")?;
    }
    collect(store, worker, at(10_000), &mut seen).await?;
    let each: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(
        (seen.len(), each.len()),
        (3 * EACH, 3 * EACH),
        "none is lost or doubled"
    );
    Ok(())
}

/// Publishes of one key cross: one run is left, with the last of them.
pub(super) async fn debounced_events_meet_at_once(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let worker = bench.store.worker(&["f"]).await?;
    let mut tasks = Vec::new();
    for client in 0..3 {
        let store = bench.another().await?;
        tasks.push(tokio::spawn(async move {
            for n in 0..10 {
                store
                    .flow(&format!("d-{client}-{n}"), &debounce(), at(0))
                    .await?;
            }
            Ok::<_, crate::Error>(())
        }));
    }
    for task in tasks {
        task.await.expect("publishing does not panic")?;
    }
    let last = bench.store.flow("last", &debounce(), at(1)).await?;
    let due = bench.store.due_runs(worker, at(60_000)).await?;
    let due: Vec<_> = due.iter().map(|run| &run.run_id).collect();
    assert_eq!(due, [&last.run_id]);
    Ok(())
}
