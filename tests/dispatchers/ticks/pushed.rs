//! Ticks from message to message.

use std::time::Duration;

use belts::{
    Tick, sleep, step,
    store::{Memory, RunStatus},
};
use belts_qstash_mock::{Faults, Refusal, When};

use super::{MINUTE, hour, house, memory, post::Post, runs_of, start, statuses};
use crate::qstash::{
    clock::FastClock,
    mail::{Place, SOON, runs, to},
};
use belts::{Worker, testing::ManualClock};

#[belts::function(id = "z-pushed-hourly", every = "1h")]
async fn hourly(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "z-pushed-slow", every = "1h", overlap = "queue")]
async fn slow(tick: Tick) -> belts::Result<String> {
    sleep!("rest", "90m").await?;
    step!("tell", tick.scheduled_at().to_string()).await
}

#[tokio::test]
async fn each_tick_starts_one_run_and_sends_one_message() {
    let (store, _, post) = house();
    let worker = post.builder(&store).function(hourly).build().await.unwrap();
    assert_eq!(post.ticks(), [hour(1)]);
    // One for the tick, one for its run.
    assert_eq!(post.carry_until(&worker, hour(5)).await, 10);
    assert_eq!(statuses(&worker, hourly).await, [RunStatus::Completed; 5]);
    assert_eq!(post.ticks(), [hour(6)]);
}

#[tokio::test]
async fn a_transport_that_holds_less_than_the_time_to_the_next_tick_hands_on_in_hops() {
    let clock = ManualClock::new(start());
    let (store, post) = (memory(), Post::with_max_delay(&clock, MINUTE * 10));
    let worker = post.builder(&store).function(hourly).build().await.unwrap();
    post.carry_until(&worker, hour(3)).await;
    assert_eq!(statuses(&worker, hourly).await, [RunStatus::Completed; 3]);
    assert_eq!(post.ticks().len(), 1);
}

#[tokio::test]
async fn what_waits_for_the_end_of_a_run_follows_it() {
    let (store, _, post) = house();
    let worker = post.builder(&store).function(slow).build().await.unwrap();
    post.carry_until(&worker, hour(6)).await;
    let all = statuses(&worker, slow).await;
    let completed = all.iter().filter(|status| **status == RunStatus::Completed);
    // At 2:30, at 4:00 and at 5:30, each a moment later.
    assert_eq!((all.len(), completed.count()), (4, 3), "{all:?}");
}

#[tokio::test]
async fn a_second_worker_starts_nothing_twice() {
    let (store, _, post) = house();
    let first = post.builder(&store).function(hourly).build().await.unwrap();
    let second = post.builder(&store).function(hourly).build().await.unwrap();
    assert_eq!(post.ticks(), [hour(1)]);
    for _ in 0..4 {
        assert_eq!(post.carry(&first).await, 200);
        assert_eq!(post.carry(&second).await, 200);
    }
    assert_eq!(runs_of(&first, hourly).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticks_survive_a_service_that_refuses_repeats_and_loses_answers() {
    #[belts::function(id = "z-pushed-often", every = "20s")]
    async fn often(tick: Tick) -> belts::Result<String> {
        step!("tell", tick.scheduled_at().to_string()).await
    }
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    mock.set_faults(Faults {
        refuse: Some(Refusal::new(When::Share(0.3), 503)),
        deliver_twice: When::Share(0.3),
        lose_answer: When::Share(0.3),
        ..Faults::default()
    });
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).retries(100).retry_delay("5000");
    let worker = Worker::builder()
        .store(Memory::new())
        .clock(clock)
        .lease(Duration::from_secs(1_200))
        .function(often)
        .dispatcher(qstash.build().unwrap());
    // The first message may be refused; each start of a worker sends it.
    let mut first = worker.build().await.unwrap();
    for _ in 0..100 {
        if mock.counts().messages > 0 {
            break;
        }
        let qstash = to(&mock, &place.url).retries(100).retry_delay("5000");
        first = Worker::builder()
            .shared_store(first.store().clone())
            .clock(clock)
            .lease(Duration::from_secs(1_200))
            .function(often)
            .dispatcher(qstash.build().unwrap())
            .build()
            .await
            .unwrap();
    }
    place.serve_only(first.router());
    let done = async {
        loop {
            let all = runs(&first).await;
            let completed = all.iter().filter(|run| run.status == RunStatus::Completed);
            if completed.count() >= 10 {
                return;
            }
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(SOON, done).await.unwrap();
    let record = first.schedules().get("z-pushed-often").await.unwrap();
    assert_eq!(
        runs_of(&first, often).await.len() as u64,
        record.counts.started
    );
    assert!(mock.counts().failed == 0, "{:?}", mock.dead_letters());
}
