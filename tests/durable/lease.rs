//! At most one worker advances a run, and a late one cannot write.

use std::{sync::Arc, time::Duration};

use belts::{
    step,
    store::{Memory, RunStatus},
    testing::{Faults, Harness, ManualClock},
};

use crate::{
    late::LateRenewals,
    support::{
        Named, effect, effects, eventually, gate, looped, named, open, publish_named, runs_of,
        within, worker_of,
    },
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

/// The store had refused a write because the lease had ended, and then a renewal arrived that had been sent before: the
/// session lived on, and with it the lease of a run that its worker had given up.
#[tokio::test]
async fn a_run_that_was_given_up_is_driven_although_a_late_renewal_kept_its_lease() {
    let clock = ManualClock::default();
    let late = LateRenewals::new(Memory::new());
    let worker = worker_of(late.clone(), slow_once, &clock).await;
    let running = looped(&worker);
    publish_named(named("given up")).via(&worker).await.unwrap();
    eventually("the step begins", async || effects("given up") == 1).await;

    // A renewal is under way until the lease has ended and the worker has tried to write.
    late.hold();
    clock.advance(Duration::from_secs(20));
    eventually("a renewal is sent", async || late.held() > 0).await;
    clock.advance(Duration::from_secs(15));
    let commits = late.commits();
    open("given up");
    eventually("the write is refused", async || late.commits() > commits).await;
    late.let_go();
    eventually("the run", async || {
        clock.advance(Duration::from_millis(100));
        effects("given up") == 2
    })
    .await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}
