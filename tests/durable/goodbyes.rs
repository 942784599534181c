//! The end of a worker while something of its own is under way.

use std::{future::IntoFuture, time::Duration};

use belts::{
    ErrorKind, Worker,
    store::{Memory, RunStatus},
    testing::ManualClock,
};

use crate::{
    gated::{
        effects, eventually, gated, looped, named, open, publish_named, runs_of, within, worker_of,
    },
    late::Meddled,
};

/// A publish with a lease was on its way while its worker ended. Its answer came after the session had been ended, and the run was
/// driven all the same: its first step ran here and, at the same time, wherever the run was claimed next.
#[tokio::test]
async fn a_run_that_a_publish_brings_after_the_end_of_its_worker_is_not_driven() {
    let (clock, store) = (ManualClock::default(), Meddled::new(Memory::new()));
    let worker = worker_of(store.clone(), gated, &clock).await;
    let running = looped(&worker);
    eventually("the loop looks", async || store.counts().claims() > 0).await;
    store.hold_published(true);
    let publish = publish_named(named("too-late")).via(&worker);
    let publish = tokio::spawn(publish.into_future());
    eventually("the answer", async || store.counts().held_published() == 1).await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    store.hold_published(false);
    within("the publish", publish).await.unwrap().unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(effects("too-late"), 0);
    let status = runs_of(&store, "gated").await[0].status;
    assert_ne!(status, RunStatus::Running);
}

/// A worker without a loop was shut down while somebody waited for a run. The run paused after its step, and the call never
/// returned, which kept a server that ends gracefully from ever ending.
#[tokio::test]
async fn who_waits_for_a_run_without_a_loop_hears_of_the_end_of_the_worker() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let builder = builder.function(gated).grace(Duration::from_secs(30));
    let worker = builder.build().await.unwrap();
    let execute = tokio::spawn(worker.execute(named("unheard")).into_future());
    eventually("the step begins", async || effects("unheard") == 1).await;
    worker.shutdown();
    open("unheard");
    eventually("the run pauses", async || {
        runs_of(&store, "gated").await[0].status == RunStatus::Suspended
    })
    .await;
    eventually("the call ends", async || {
        clock.advance(Duration::from_secs(1));
        execute.is_finished()
    })
    .await;
    let error = execute.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown, "{error:?}");
    assert_eq!(effects("unheard after"), 0);
}

/// Two loops of one worker waited for the same drives, and only one of them heard when they had ended. The other one sat out the
/// whole grace period.
#[tokio::test]
async fn two_loops_of_one_worker_end_together() {
    let (clock, store) = (ManualClock::default(), Meddled::new(Memory::new()));
    let worker = worker_of(store.clone(), gated, &clock).await;
    let loops = [looped(&worker), looped(&worker)];
    eventually("both look", async || store.counts().claims() >= 2).await;
    publish_named(named("two-loops"))
        .via(&worker)
        .await
        .unwrap();
    eventually("the step begins", async || effects("two-loops") == 1).await;
    worker.shutdown();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    open("two-loops");
    for one in loops {
        within("the shutdown", one).await.unwrap().unwrap();
    }
}

/// A store that no longer answered kept its worker from ending, for as long as the store liked.
#[tokio::test]
async fn a_store_that_does_not_answer_holds_up_the_end_of_a_worker_for_some_seconds() {
    let (clock, store) = (ManualClock::default(), Meddled::new(Memory::new()));
    let worker = worker_of(store.clone(), gated, &clock).await;
    let running = looped(&worker);
    eventually("the loop looks", async || store.counts().claims() > 0).await;
    store.hold_goodbyes(true);
    worker.shutdown();
    eventually("it asks", async || store.counts().held_goodbyes() == 1).await;
    eventually("the end", async || {
        clock.advance(Duration::from_secs(1));
        running.is_finished()
    })
    .await;
    running.await.unwrap().unwrap();
}
