//! Waits that the function has left, or holds without polling them, when something comes for them.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use belts::{
    Event, Worker, sleep, step,
    store::{Memory, RunStatus},
    testing::{Harness, ManualClock},
    wait,
};
use belts_suite::{Hooked, a_moment};
use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};

use super::{OrderPaid, paid, publish_order_paid};
use crate::gated::{eventually, looped, within};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "waits-left-begun", key = order)]
struct Begun {
    order: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "waits-left-approved", key = order)]
struct Approved {
    order: String,
}

fn begun(order: &str) -> Begun {
    let order = order.to_owned();
    Begun { order }
}

fn approved(order: &str) -> Approved {
    let order = order.to_owned();
    Approved { order }
}

/// Leaves a wait behind after an hour, and goes on to another one.
#[belts::function(id = "waits-left", on = Begun)]
async fn leaves(begun: Begun) -> belts::Result<bool> {
    let came = {
        let paid = pin!(wait!("payment", OrderPaid, key = &begun.order));
        let limit = pin!(sleep!("limit", "1h"));
        matches!(select(limit, paid).await, Either::Right(_))
    };
    wait!("approval", Approved, key = &begun.order).await?;
    Ok(came)
}

/// Holds a wait while it awaits another one.
#[belts::function(id = "waits-held", on = Begun)]
async fn holds(begun: Begun) -> belts::Result<u32> {
    let paid = pin!(wait!("payment", OrderPaid, key = &begun.order));
    let quick = pin!(step!("quick", 1));
    let paid = match select(quick, paid).await {
        Either::Left((_, paid)) => paid,
        Either::Right((paid, _)) => return Ok(paid?.cents),
    };
    wait!("approval", Approved, key = &begun.order).await?;
    Ok(paid.await?.cents)
}

/// A worker whose claims are counted.
async fn counting(clock: &ManualClock) -> (Worker, Arc<AtomicU32>) {
    let commits = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&commits);
    let store = Hooked::new(Arc::new(Memory::new()), move |method| {
        if method == "commit" {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Box::pin(async { Ok(()) })
    });
    let builder = Worker::builder().shared_store(store).clock(clock.clone());
    let builder = builder.function(leaves).function(holds);
    (builder.build().await.unwrap(), commits)
}

async fn suspends(worker: &Worker, run_id: &str, entries: usize) {
    eventually("it waits", async || {
        let run = worker.runs().get(run_id).await.unwrap();
        let journal = worker.runs().journal(run_id).await.unwrap();
        run.status == RunStatus::Suspended && journal.len() == entries
    })
    .await;
}

/// What came for a wait that was left made the run due again and again, each time in vain.
#[tokio::test]
async fn what_comes_for_a_wait_that_was_left_wakes_the_run_once() {
    let clock = ManualClock::default();
    let (worker, commits) = counting(&clock).await;
    let running = looped(&worker);
    let run = leaves(begun("left")).run_id("left").via(&worker);
    let run = run.start().await.unwrap();
    suspends(&worker, "left", 2).await;
    clock.advance(Duration::from_secs(3_601));
    suspends(&worker, "left", 3).await;
    let before = commits.load(Ordering::SeqCst);
    for cents in 0..40 {
        publish_order_paid(paid("left", cents))
            .via(&worker)
            .await
            .unwrap();
    }
    a_moment().await;
    suspends(&worker, "left", 3).await;
    let after = commits.load(Ordering::SeqCst);
    assert!(after - before <= 42, "{} commits", after - before);
    publish_approved(approved("left"))
        .via(&worker)
        .await
        .unwrap();
    assert!(!within("it goes on", run.result()).await.unwrap());
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// The same for one that is held and not polled; it finds the event once it is.
#[tokio::test]
async fn what_comes_for_a_wait_that_nobody_polls_is_there_later() {
    let builder = Worker::builder().store(Memory::new());
    let worker = builder.function(holds).build().await.unwrap();
    let running = looped(&worker);
    let run = holds(begun("held")).run_id("held").via(&worker);
    let run = run.start().await.unwrap();
    suspends(&worker, "held", 3).await;
    publish_order_paid(paid("held", 8))
        .via(&worker)
        .await
        .unwrap();
    a_moment().await;
    publish_approved(approved("held"))
        .via(&worker)
        .await
        .unwrap();
    assert_eq!(within("it goes on", run.result()).await.unwrap(), 8);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// A test settles, and its clock does not run away.
#[tokio::test]
async fn a_test_settles_whatever_comes_for_a_wait_that_was_left() {
    let builder = Harness::builder().function(leaves).function(holds);
    let harness = builder.build().await.unwrap();
    let run = harness.run(leaves, begun("settles")).run_id("settles");
    run.await.unwrap();
    harness.travel(Duration::from_secs(3_600)).await.unwrap();
    let held = harness.run(holds, begun("settles")).run_id("held");
    held.await.unwrap();
    let now = harness.now();
    harness.publish(paid("settles", 1)).await.unwrap();
    harness.settle().await.unwrap();
    assert_eq!(harness.now(), now);
    harness.publish(approved("settles")).await.unwrap();
    harness.settle().await.unwrap();
    let runs = harness.runs_of(leaves).await.unwrap();
    let came: bool = runs[0].output().unwrap();
    assert!(!came);
}
