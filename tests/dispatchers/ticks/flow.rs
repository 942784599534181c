//! Flow options without a loop: whatever lets a run go on has a message for it.

use belts::{
    Event, Timestamp, Worker, sleep, step,
    store::{RunStatus, SharedStore},
};
use serde::{Deserialize, Serialize};

use super::{HOUR, MINUTE, house, post::Post, runs_of, start, statuses};
use crate::qstash::mail::{effect, effects};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-flow-pushed")]
struct Pushed {
    n: u32,
}

async fn undone(what: String) {
    effect(&format!("-{what}"));
}

#[belts::function(id = "z-flow-push-queues", on = Pushed, singleton(then = "queue"))]
async fn queues(event: Pushed) -> belts::Result<u32> {
    sleep!("work", "1h").await?;
    Ok(event.n)
}

#[belts::function(id = "z-flow-push-falls", on = Pushed, singleton(then = "queue"), finish_within = "2h")]
async fn falls(event: Pushed) -> belts::Result<()> {
    if event.n > 1 {
        return Ok(());
    }
    sleep!("work", "9h").await
}

#[belts::function(id = "z-flow-push-replaces", on = Pushed, singleton(then = "replace"))]
async fn replaces(event: Pushed) -> belts::Result<u32> {
    step!("take", format!("z-flow-push {}", event.n), undo = undone).await?;
    sleep!("work", "1h").await?;
    Ok(event.n)
}

#[belts::function(id = "z-flow-push-spread", on = Pushed, throttle(limit = 1, per = "1h"))]
async fn spread(event: Pushed) -> belts::Result<u32> {
    step!("n", event.n).await
}

#[belts::function(id = "z-flow-push-last", on = Pushed, debounce(period = "1h"))]
async fn last(event: Pushed) -> belts::Result<u32> {
    step!("n", event.n).await
}

#[belts::function(id = "z-flow-push-all", on = Pushed, batch(size = 2, within = "1h"))]
async fn all(events: Vec<Pushed>) -> belts::Result<usize> {
    step!("n", events.len()).await
}

async fn publish(worker: &Worker, post: &Post, n: u32) {
    publish_pushed(Pushed { n }).via(worker).await.unwrap();
    let now = at(n);
    post.carry_until(worker, now).await;
}

/// A minute between one and the next.
fn at(n: u32) -> Timestamp {
    start().after(MINUTE * n)
}

fn outputs(store: &SharedStore) -> belts::Runs {
    belts::Runs::of(SharedStore::clone(store))
}

#[tokio::test]
async fn the_next_of_a_singleton_has_a_message() {
    let (store, _, post) = house();
    let worker = post.builder(&store).function(queues).build().await.unwrap();
    for n in 1..=3 {
        publish(&worker, &post, n).await;
    }
    let pending = [RunStatus::Suspended; 3];
    assert_eq!(statuses(&worker, queues).await, pending);
    post.carry_until(&worker, start().after(HOUR * 4)).await;
    assert_eq!(statuses(&worker, queues).await, [RunStatus::Completed; 3]);
    let mut ends: Vec<_> = runs_of(&worker, queues)
        .await
        .iter()
        .map(|run| run.finished_at.unwrap().since(start()))
        .collect();
    ends.sort();
    assert!(ends[1] >= HOUR * 2 && ends[2] >= HOUR * 3, "{ends:?}");
}

#[tokio::test]
async fn the_next_has_a_message_although_it_is_refused_at_first() {
    let (store, _, post) = house();
    let worker = post.builder(&store).function(queues).build().await.unwrap();
    for n in 1..=2 {
        publish(&worker, &post, n).await;
    }
    // That hands the next one on.
    let ends = post.waiting().last().unwrap().at;
    post.carry_until(&worker, ends.before(MINUTE)).await;
    post.refuse(1);
    post.carry_until(&worker, start().after(HOUR * 4)).await;
    assert_eq!(statuses(&worker, queues).await, [RunStatus::Completed; 2]);
}

#[tokio::test]
async fn a_cancel_and_an_end_of_time_hand_on_the_next_of_a_singleton() {
    let (store, _, post) = house();
    let worker = post
        .builder(&store)
        .function(queues)
        .function(falls)
        .build()
        .await
        .unwrap();
    for n in 1..=2 {
        publish(&worker, &post, n).await;
    }
    let mut runs = runs_of(&worker, queues).await;
    runs.sort_by_key(|run| run.created_at);
    worker.runs().cancel(&runs[0].run_id).await.unwrap();
    post.carry_until(&worker, start().after(HOUR * 4)).await;
    let wanted = [RunStatus::Cancelled, RunStatus::Completed];
    assert_eq!(statuses(&worker, queues).await, wanted);
    post.carry_until(&worker, start().after(HOUR * 10)).await;
    assert_eq!(statuses(&worker, falls).await[0], RunStatus::Cancelled);
    assert!(
        statuses(&worker, falls).await[1].is_finished(),
        "its time is counted from its publish"
    );
}

#[tokio::test]
async fn a_run_that_is_replaced_is_undone_by_a_message() {
    let (store, _, post) = house();
    let worker = post
        .builder(&store)
        .function(replaces)
        .build()
        .await
        .unwrap();
    for n in 1..=3 {
        publish(&worker, &post, n).await;
    }
    post.carry_until(&worker, start().after(HOUR * 2)).await;
    let wanted = [
        RunStatus::Cancelled,
        RunStatus::Cancelled,
        RunStatus::Completed,
    ];
    assert_eq!(statuses(&worker, replaces).await, wanted);
    let undone = [1, 2, 3].map(|n| effects(&format!("-z-flow-push {n}")));
    assert_eq!(undone, [1, 1, 0]);
}

#[tokio::test]
async fn turns_last_events_and_batches_come_by_messages() {
    let (store, _, post) = house();
    let worker = post
        .builder(&store)
        .function(spread)
        .function(last)
        .function(all)
        .build()
        .await
        .unwrap();
    for n in 1..=3 {
        publish(&worker, &post, n).await;
    }
    post.carry_until(&worker, start().after(HOUR * 4)).await;
    assert_eq!(statuses(&worker, spread).await, [RunStatus::Completed; 3]);
    let runs = outputs(&store);
    let of = async |id: &str| {
        let mut outputs = Vec::new();
        for run in runs.list().function(id).await.unwrap().runs {
            let run = runs.get(&run.run_id).await.unwrap();
            let output = String::from_utf8_lossy(run.result.as_deref().unwrap()).into_owned();
            outputs.push(output.rsplit(':').next().unwrap().to_owned());
        }
        outputs.sort();
        outputs
    };
    assert_eq!(of("z-flow-push-last").await, ["3}"]);
    assert_eq!(of("z-flow-push-all").await, ["1}", "2}"]);
}
