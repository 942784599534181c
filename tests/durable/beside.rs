//! What is awaited beside a long sleep and is no step: the run stays for it, and leaves memory without it.
//!
//! A run left memory at once when all its steps waited for long, and dropped an answer that was on its way: the durable time
//! limit beside it always won.

use std::time::Duration;

use async_trait::async_trait;
use belts::{
    Worker,
    middleware::{Middleware, Next, Outcome, RunInfo},
    sleep, step,
    store::{Memory, RunStatus},
    testing::{ManualClock, TestStore},
};
use futures_util::future::try_join_all;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::gated::{
    Named, effect, effects, eventually, gate, looped, named, open, publish_named, runs_of, unless,
    within, worker_of,
};

/// Counts how often the run enters and leaves memory.
struct InMemory(String);

impl InMemory {
    fn new(name: &str) -> Self {
        effect(format!("{name} enters"));
        Self(name.to_owned())
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        effect(format!("{} leaves", self.0));
    }
}

#[belts::function(id = "limited-answer", on = Named)]
async fn limited_answer(event: Named) -> belts::Result<String> {
    let _here = InMemory::new(&event.name);
    let limit = unless(gate(&event.name), sleep!("limit", "6h")).await;
    match limit {
        Some(limit) => limit.map(|()| "timed out".to_owned()),
        None => Ok("answered".to_owned()),
    }
}

#[belts::function(id = "work-beside", on = Named)]
async fn work_beside(event: Named) -> belts::Result<()> {
    let _here = InMemory::new(&event.name);
    let work = async {
        gate(&event.name).await;
        step!("after", effect(format!("{} after", event.name))).await
    };
    let (work, nap) = tokio::join!(work, sleep!("nap", "6h"));
    work.and(nap)
}

/// More than thirty futures are polled with wakers of their own.
#[belts::function(id = "many-sleeps", on = Named)]
async fn many_sleeps(event: Named) -> belts::Result<()> {
    let _here = InMemory::new(&event.name);
    try_join_all((0..40).map(|n| sleep!("nap-{n}", "6h"))).await?;
    Ok(())
}

/// Its waker stays with a channel that nobody awaits any more.
#[belts::function(id = "left-behind", on = Named)]
async fn left_behind(event: Named) -> belts::Result<()> {
    let _here = InMemory::new(&event.name);
    let (_sender, mut receiver) = oneshot::channel::<()>();
    tokio::select! {
        _ = &mut receiver => {}
        () = tokio::task::yield_now() => {}
    }
    sleep!("night", "8h").await
}

struct Running {
    worker: Worker,
    store: Memory,
    clock: ManualClock,
    looped: JoinHandle<belts::Result<()>>,
}

impl Running {
    async fn begin<M>(function: impl belts::Function<M>, name: &str) -> Self {
        let (clock, store) = (ManualClock::default(), Memory::new());
        let worker = worker_of(store.clone(), function, &clock).await;
        let looped = looped(&worker);
        publish_named(named(name)).via(&worker).await.unwrap();
        Self {
            worker,
            store,
            clock,
            looped,
        }
    }

    /// Returns when so many of the run's steps are recorded.
    async fn records(&self, function: &str, count: usize) {
        let store = TestStore::new(std::sync::Arc::new(self.store.clone()));
        eventually("the records", async || {
            let run = &runs_of(&self.store, function).await[0];
            store.journal(&run.run_id).await.unwrap().len() == count
        })
        .await;
    }

    async fn comes_to(&self, function: &str, status: RunStatus) {
        eventually("the end", async || {
            runs_of(&self.store, function).await[0].status == status
        })
        .await;
    }

    async fn end(self) {
        self.worker.shutdown();
        within("the end of the loop", self.looped)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn an_answer_wins_against_a_limit_that_is_far_away() {
    let running = Running::begin(limited_answer, "answer").await;
    // The limit is recorded although the run stays.
    running.records("limited-answer", 1).await;
    open("answer");
    running
        .comes_to("limited-answer", RunStatus::Completed)
        .await;
    let run = &runs_of(&running.store, "limited-answer").await[0].run_id;
    let run = running.worker.runs().get(run).await.unwrap();
    let output = run.output().map(serde_json::value::RawValue::get);
    assert_eq!(output, Some("\"answered\""));
    assert_eq!(effects("answer enters"), 1);
    running.end().await;
}

#[tokio::test]
async fn the_limit_wins_when_its_time_comes() {
    let running = Running::begin(limited_answer, "no answer").await;
    running.records("limited-answer", 1).await;
    running.clock.advance(Duration::from_secs(6 * 60 * 60));
    running
        .comes_to("limited-answer", RunStatus::Completed)
        .await;
    running.end().await;
}

#[tokio::test]
async fn work_beside_a_long_sleep_is_done_before_the_run_leaves_memory() {
    let running = Running::begin(work_beside, "work").await;
    running.records("work-beside", 1).await;
    open("work");
    running.comes_to("work-beside", RunStatus::Suspended).await;
    assert_eq!((effects("work enters"), effects("work after")), (1, 1));
    running.end().await;
}

#[tokio::test]
async fn a_run_that_stays_is_given_back_when_its_worker_ends() {
    let running = Running::begin(limited_answer, "given back").await;
    running.records("limited-answer", 1).await;
    let store = running.store.clone();
    running.end().await;
    assert_eq!(
        runs_of(&store, "limited-answer").await[0].status,
        RunStatus::Suspended
    );
    assert_eq!(effects("given back leaves"), 1);
}

#[tokio::test]
async fn many_long_sleeps_at_once_leave_memory() {
    let running = Running::begin(many_sleeps, "many").await;
    running.comes_to("many-sleeps", RunStatus::Suspended).await;
    eventually("the future is dropped", async || {
        effects("many leaves") == 1
    })
    .await;
    running.end().await;
}

#[tokio::test]
async fn a_waker_that_was_left_behind_keeps_no_run_in_memory() {
    let running = Running::begin(left_behind, "left").await;
    running.comes_to("left-behind", RunStatus::Suspended).await;
    running.end().await;
}

struct Patient;

#[async_trait]
impl Middleware for Patient {
    async fn run(&self, _: &RunInfo, next: Next<'_>) -> Outcome {
        let limited = tokio::time::timeout(Duration::from_secs(3600), next.call());
        limited.await.map_err(belts::Error::from_any)?
    }
}

#[belts::function(id = "limited-night", on = Named, timeout = "1h")]
async fn limited_night(_: Named) -> belts::Result<()> {
    sleep!("night", "8h").await
}

#[tokio::test]
async fn the_timers_around_a_function_keep_no_run_in_memory() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let builder = builder.function(limited_night).middleware(Patient);
    let worker = builder.build().await.unwrap();
    let looped = looped(&worker);
    publish_named(named("night")).via(&worker).await.unwrap();
    let running = Running {
        worker,
        store,
        clock,
        looped,
    };
    running
        .comes_to("limited-night", RunStatus::Suspended)
        .await;
    running.end().await;
}
