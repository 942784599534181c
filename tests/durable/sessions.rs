//! The session of a worker: it has one at a time.

use std::time::Duration;

use belts::{store::Memory, testing::ManualClock};

use crate::{
    gated::{eventually, gated, looped, within, worker_of},
    late::Meddled,
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
