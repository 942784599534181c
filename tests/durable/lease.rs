//! At most one worker advances a run, and a late one cannot write.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use async_trait::async_trait;
use belts::{
    Executed, Worker,
    middleware::{Middleware, Next, Outcome, StepInfo},
    step,
    store::{Memory, RunStatus},
    testing::{Faults, Harness, ManualClock},
};
use tokio::task::JoinHandle;

use crate::{
    gated::{
        Named, effect, effects, eventually, gate, looped, named, open, publish_named, runs_of,
        within, worker_of,
    },
    late::Meddled,
};

/// Waits at its gate the first time only, and says which time it was.
#[belts::function(id = "slow-once", on = Named)]
async fn slow_once(event: Named) -> belts::Result<u32> {
    step!("work", async {
        effect(event.name.as_str());
        let time = effects(&event.name);
        if time == 1 {
            gate(&event.name).await;
        }
        time
    })
    .await
}

#[tokio::test]
async fn a_worker_whose_lease_ended_cannot_write() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let late = worker_of(faults.clone(), slow_once, &clock).await;
    let other = worker_of(store.clone(), slow_once, &clock).await;
    let delivery = late.execute(named("late")).run_id("late");
    let first = tokio::spawn(async move { delivery.await });
    eventually("the step begins", async || effects("late") == 1).await;

    // The late worker's renewal does not get through, and the other one takes over.
    let writes = faults.writes();
    faults.fail(1);
    clock.advance(Duration::from_secs(31));
    eventually("the renewal fails", async || faults.writes() > writes).await;
    let taken = within(
        "the other worker",
        other.execute(named("late")).run_id("late"),
    )
    .await
    .unwrap();
    assert_eq!(taken.output::<u32>("slow-once").unwrap(), 2);

    open("late");
    eventually("the late worker asks again after a while", async || {
        clock.advance(Duration::from_millis(100));
        first.is_finished()
    })
    .await;
    let first = first.await.unwrap().unwrap();
    assert_eq!(
        first.output::<u32>("slow-once").unwrap(),
        2,
        "the outcome is the other worker's"
    );
    let view = belts::testing::TestStore::new(Arc::new(store));
    assert_eq!(view.step_result::<u32>("late", "work").await.unwrap(), 2);
}

#[tokio::test]
async fn a_run_that_is_driven_elsewhere_is_not_taken() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let one = worker_of(store.clone(), slow_once, &clock).await;
    let other = worker_of(store.clone(), slow_once, &clock).await;
    let delivery = one.execute(named("driven")).run_id("driven");
    let first = tokio::spawn(async move { delivery.await });
    eventually("the step begins", async || effects("driven") == 1).await;
    let delivery = other.execute(named("driven")).run_id("driven");
    let second = tokio::spawn(async move { delivery.await });
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    open("driven");
    within("the first", first).await.unwrap().unwrap();
    // The second asks the store again after a while.
    eventually("the second", async || {
        clock.advance(Duration::from_millis(100));
        second.is_finished()
    })
    .await;
    assert_eq!(
        second
            .await
            .unwrap()
            .unwrap()
            .output::<u32>("slow-once")
            .unwrap(),
        1
    );
    assert_eq!(effects("driven"), 1);
}

#[tokio::test]
async fn a_worker_that_restarts_takes_its_runs_back_at_once() {
    let harness = Harness::builder()
        .function(slow_once)
        .build()
        .await
        .unwrap();
    let delivery = harness
        .run(slow_once, named("restarted"))
        .run_id("restarted");
    let running = tokio::spawn(async move { delivery.await });
    eventually("the step begins", async || effects("restarted") == 1).await;
    let before = harness.now();
    harness.faults().crash_now();
    let run = within("the run", running).await.unwrap().unwrap();
    assert_eq!(run.output().unwrap(), 2);
    assert_eq!((harness.now(), run.crashes()), (before, 1));
}

/// The store wrote the claim, the connection broke before the answer came, and the worker kept renewing the lease of a
/// run that nobody drove.
#[tokio::test]
async fn a_run_whose_claim_was_never_heard_of_is_driven_all_the_same() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let worker = worker_of(faults.clone(), slow_once, &clock).await;
    let elsewhere = worker_of(store.clone(), slow_once, &clock).await;
    open("unheard claim");
    let running = looped(&worker);
    eventually("the first claim", async || faults.writes() >= 2).await;
    faults.lose(1);
    let published = publish_named(named("unheard claim")).via(&elsewhere);
    published.await.unwrap();
    eventually("the run", async || {
        clock.advance(Duration::from_millis(100));
        effects("unheard claim") == 1
    })
    .await;
    assert!(
        clock.now().since(ManualClock::default().now()) < Duration::from_secs(20),
        "it did not wait for the end of a lease"
    );
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_run_whose_publish_was_never_heard_of_is_driven_all_the_same() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let worker = worker_of(faults.clone(), slow_once, &clock).await;
    open("unheard publish");
    let running = looped(&worker);
    eventually("the first claim", async || faults.writes() >= 2).await;
    let publish = || {
        publish_named(named("unheard publish"))
            .idempotency_key("unheard")
            .via(&worker)
    };
    faults.lose(1);
    assert!(publish().await.is_err());
    assert!(publish().await.unwrap().duplicate);
    eventually("the run", async || {
        clock.advance(Duration::from_millis(100));
        effects("unheard publish") == 1
    })
    .await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    assert_eq!(effects("unheard publish"), 1);
}

/// Only what nobody drives is given back: a step that is under way keeps its run.
#[tokio::test]
async fn a_lost_answer_takes_no_run_from_its_drive() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let worker = worker_of(faults.clone(), slow_once, &clock).await;
    let running = looped(&worker);
    eventually("the first claim", async || faults.writes() >= 2).await;
    publish_named(named("kept")).via(&worker).await.unwrap();
    eventually("the step begins", async || effects("kept") == 1).await;
    let writes = faults.writes();
    faults.lose(1);
    eventually("a claim, and what follows it", async || {
        clock.advance(Duration::from_millis(100));
        faults.writes() > writes + 3
    })
    .await;
    open("kept");
    eventually("the end", async || {
        let runs = runs_of(&store, "slow-once").await;
        runs.iter().any(|run| run.status == RunStatus::Completed)
    })
    .await;
    assert_eq!(effects("kept"), 1);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// A renewal was held up on its way for longer than the lease. What a step came to in that time was refused although nobody had
/// taken the run, and the step ran again.
#[tokio::test]
async fn what_ends_after_the_lease_is_recorded_if_nobody_took_the_run() {
    let clock = ManualClock::default();
    let late = Meddled::new(Memory::new());
    let worker = worker_of(late.clone(), slow_once, &clock).await;
    let running = looped(&worker);
    publish_named(named("not taken"))
        .via(&worker)
        .await
        .unwrap();
    eventually("the step begins", async || effects("not taken") == 1).await;

    // A renewal is under way until the lease has ended and the worker has written.
    late.hold();
    clock.advance(Duration::from_secs(20));
    eventually("a renewal is sent", async || late.held() > 0).await;
    clock.advance(Duration::from_secs(15));
    open("not taken");
    eventually("the run", async || {
        let runs = runs_of(&late, "slow-once").await;
        runs[0].status == RunStatus::Completed
    })
    .await;
    assert_eq!(effects("not taken"), 1);
    late.let_go();
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// Waits at its gate between two steps, the first time only.
#[belts::function(id = "stands-still", on = Named)]
pub(crate) async fn stands_still(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("one", effect(format!("{name} one"))).await?;
    effect(name.as_str());
    if effects(name) == 1 {
        gate(name).await;
    }
    step!("two", effect(format!("{name} two"))).await
}

/// Lets a lease end whose renewal is held up, and another worker finish the run. Then the first goes on from its gate, and is asked
/// until it has come to its end.
async fn taken_over<T>(
    late: &Meddled,
    clock: &ManualClock,
    other: impl IntoFuture<Output = belts::Result<Executed>, IntoFuture: Send>,
    gate: &str,
    first: &JoinHandle<T>,
) {
    late.hold();
    clock.advance(Duration::from_secs(31));
    within("the other worker", other.into_future())
        .await
        .unwrap();
    open(gate);
    late.let_go();
    eventually("it asks again after a while", async || {
        clock.advance(Duration::from_millis(100));
        first.is_finished()
    })
    .await;
}

/// A worker was stopped for longer than its lease, between two steps. When it was continued, it ran the next step, which the
/// worker that had taken the run over had recorded long ago.
#[tokio::test]
async fn a_worker_that_stood_still_begins_no_step_of_a_run_that_it_lost() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let late = Meddled::new(store.clone());
    let still = worker_of(late.clone(), stands_still, &clock).await;
    let other = worker_of(store.clone(), stands_still, &clock).await;
    let delivery = still.execute(named("still")).run_id("still");
    let first = tokio::spawn(async move { delivery.await });
    eventually("it stands between the steps", async || {
        effects("still") == 1
    })
    .await;
    let other = other.execute(named("still")).run_id("still");
    taken_over(&late, &clock, other, "still", &first).await;
    let first = first.await.unwrap().unwrap();
    assert_eq!(first.runs[0].status, RunStatus::Completed);
    assert_eq!((effects("still one"), effects("still two")), (1, 1));
}

/// The same, but nobody took the run: it goes on where it stands.
#[tokio::test]
async fn a_worker_that_stood_still_goes_on_with_a_run_that_nobody_took() {
    let clock = ManualClock::default();
    let late = Meddled::new(Memory::new());
    let still = worker_of(late.clone(), stands_still, &clock).await;
    let delivery = still.execute(named("alone")).run_id("alone");
    let executed = tokio::spawn(async move { delivery.await });
    eventually("it stands between the steps", async || {
        effects("alone") == 1
    })
    .await;
    late.hold();
    clock.advance(Duration::from_secs(31));
    open("alone");
    late.let_go();
    within("the run", executed).await.unwrap().unwrap();
    assert_eq!((effects("alone"), effects("alone two")), (1, 1));
}

#[belts::function(id = "waits-before-a-step", on = Named)]
async fn waits_before_a_step(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("work", effect(format!("{name} worked"))).await
}

/// A limiter of the kind that lets one through at a time.
struct Queue;

#[async_trait]
impl Middleware for Queue {
    async fn step(&self, _: &StepInfo, next: Next<'_>) -> Outcome {
        effect("queued");
        gate("queued").await;
        next.call().await
    }
}

/// The lease was looked at before the middleware around the step, which waited for longer than it lasted.
#[tokio::test]
async fn a_step_that_a_middleware_holds_up_does_not_begin_once_its_run_is_lost() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let late = Meddled::new(store.clone());
    let builder = Worker::builder().store(late.clone()).clock(clock.clone());
    let builder = builder.function(waits_before_a_step).middleware(Queue);
    let still = builder.build().await.unwrap();
    let other = worker_of(store.clone(), waits_before_a_step, &clock).await;
    let delivery = still.execute(named("queue")).run_id("queue");
    let first = tokio::spawn(async move { delivery.await });
    eventually("it waits before the step", async || effects("queued") == 1).await;
    let other = other.execute(named("queue")).run_id("queue");
    taken_over(&late, &clock, other, "queued", &first).await;
    first.await.unwrap().unwrap();
    assert_eq!(effects("queue worked"), 1);
}
