//! The session of a worker: it has one at a time, and what it claimed in an earlier life of it is asked for again.

use std::{future::IntoFuture as _, time::Duration};

use belts::{
    store::{Memory, RunStatus},
    testing::ManualClock,
};

use crate::{
    gated::{effects, eventually, gated, looped, named, open, within, worker_of},
    late::Meddled,
    lease::stands_still,
};

/// The store had forgotten the session. The loop and the task that renews heard of it at once, and each began a new one: the loop
/// claimed by the first of them, which nobody renewed.
#[tokio::test]
async fn a_session_that_the_store_forgot_is_begun_anew_once() {
    let (clock, store) = (ManualClock::default(), Meddled::new(Memory::new()));
    let worker = worker_of(store.clone(), gated, &clock).await;
    let running = looped(&worker);
    eventually("the first claim", async || store.counts().claims() > 0).await;
    store.hold();
    store.end_session(clock.now()).await;
    eventually("both renew", async || {
        clock.advance(Duration::from_secs(1));
        store.held() >= 2
    })
    .await;
    store.let_go();
    eventually("both are refused", async || {
        store.counts().refused_renewals() >= 2
    })
    .await;
    let claims = store.counts().claims();
    eventually("the loop goes on", async || {
        clock.advance(Duration::from_secs(1));
        store.counts().claims() > claims + 1
    })
    .await;
    assert_eq!(store.counts().registers(), 2);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// A renewal was sent in time and came to the store after the end of the lease, when another worker had taken the run. The worker
/// took the answer for a sign that all its leases stood, and ran a step that the other one had recorded.
#[tokio::test]
async fn after_a_renewal_that_took_longer_than_the_lease_no_step_begins_unasked() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let late = Meddled::new(store.clone());
    let worker = worker_of(late.clone(), stands_still, &clock).await;
    let other = worker_of(store, stands_still, &clock).await;
    let execute = worker.execute(named("in time")).run_id("in time");
    let first = tokio::spawn(execute.into_future());
    eventually("it stands between the steps", async || {
        effects("in time") == 1
    })
    .await;
    late.hold();
    late.hold_looks(true);
    clock.advance(Duration::from_secs(10));
    eventually("a renewal is sent", async || late.held() == 1).await;
    clock.advance(Duration::from_secs(21));
    let taken = other.execute(named("in time")).run_id("in time");
    within("the other worker", taken).await.unwrap();

    late.let_go();
    eventually("it arrives", async || late.counts().renewals() > 0).await;
    open("in time");
    eventually("the worker asks, or goes on", async || {
        late.counts().held_looks() >= 2 || effects("in time two") == 2
    })
    .await;
    late.hold_looks(false);
    eventually("it waits for the other one", async || {
        clock.advance(Duration::from_millis(100));
        first.is_finished()
    })
    .await;
    let first = first.await.unwrap().unwrap();
    assert_eq!(first.runs[0].status, RunStatus::Completed);
    assert_eq!((effects("in time one"), effects("in time two")), (1, 1));
}

/// A run was leased, and the answer was held up until the lease had ended, another worker had driven the run, and the session
/// lived again. The run was taken for one that had been claimed in the new life, and all its steps ran once more.
#[tokio::test]
async fn a_run_that_was_claimed_in_an_earlier_life_of_the_session_begins_no_step_unasked() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let late = Meddled::new(store.clone());
    let worker = worker_of(late.clone(), stands_still, &clock).await;
    let other = worker_of(store, stands_still, &clock).await;
    open("earlier");
    late.hold_published(true);
    let execute = worker.execute(named("earlier")).run_id("earlier");
    let first = tokio::spawn(execute.into_future());
    eventually("the run is leased", async || {
        late.counts().held_published() == 1
    })
    .await;
    late.hold();
    clock.advance(Duration::from_secs(31));
    let taken = other.execute(named("earlier")).run_id("earlier");
    within("the other worker", taken).await.unwrap();
    late.let_go();
    eventually("the session lives again", async || {
        late.counts().renewals() > 0
    })
    .await;
    late.hold_published(false);
    eventually("it waits for the other one", async || {
        clock.advance(Duration::from_millis(100));
        first.is_finished()
    })
    .await;
    let first = first.await.unwrap().unwrap();
    assert_eq!(first.runs[0].status, RunStatus::Completed);
    assert_eq!((effects("earlier one"), effects("earlier two")), (1, 1));
}
