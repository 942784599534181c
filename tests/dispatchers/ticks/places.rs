//! Limits of runs at once where no loop runs: a run without a place asks again by a message, and not without a pause.

use std::sync::{Arc, Mutex, PoisonError};

use belts::{
    Event, step,
    store::{RunFilter, RunStatus},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{house, start};

#[derive(Debug, Serialize, Deserialize, Event)]
struct Queued {
    n: u32,
}

/// The first run stays in its step until somebody opens this.
static DOOR: Semaphore = Semaphore::const_new(0);
/// Who is in a step.
static INSIDE: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[belts::function(id = "z-pushed-one-by-one", on = Queued, concurrency(limit = 1))]
async fn one_by_one(queued: Queued) -> belts::Result<u32> {
    step!("pass", pass(queued.n)).await
}

async fn pass(n: u32) -> u32 {
    INSIDE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(n);
    drop(DOOR.acquire().await);
    n
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_without_a_place_asks_again_after_a_while() {
    let (store, clock, post) = house();
    let worker = post.builder(&store).function(one_by_one);
    let worker = Arc::new(worker.build().await.unwrap());
    for n in [1, 2] {
        publish_queued(Queued { n }).via(&worker).await.unwrap();
    }
    let letters = post.waiting();
    assert_eq!(letters.len(), 2);
    let holds = {
        let (post, worker, letter) = (post.clone(), Arc::clone(&worker), letters[0].clone());
        tokio::spawn(async move { post.bring(letter, &worker).await })
    };
    while INSIDE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_empty()
    {
        belts_suite::a_moment().await;
    }
    assert_eq!(post.bring(letters[1].clone(), &worker).await, 200);
    assert_eq!(*INSIDE.lock().unwrap_or_else(PoisonError::into_inner), [1]);
    // Of the second run a message is under way, for later.
    let later = post
        .waiting()
        .into_iter()
        .filter(|letter| letter.at > clock.now());
    assert_eq!(later.count(), 1);
    DOOR.add_permits(10);
    assert_eq!(holds.await.unwrap(), 200);
    let end = start().after(std::time::Duration::from_secs(60));
    post.carry_until(&worker, end).await;
    let completed = RunFilter::new().with_statuses([RunStatus::Completed]);
    assert_eq!(store.list(completed).await.unwrap().runs.len(), 2);
    assert!(post.waiting().is_empty());
}
