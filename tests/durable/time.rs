//! Sleeps, and a clock that jumps.

use std::{sync::Arc, time::Duration};

use belts::{
    Runs, sleep, step,
    store::{Memory, RunStatus, StepState},
    testing::ManualClock,
};

use crate::{
    gated::{
        Named, effect, effects, eventually, gate, looped, named, publish_named, runs_of, within,
        worker_of,
    },
    late::Meddled,
};

/// Counts how many of it are in memory.
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

#[belts::function(id = "long-sleeper", on = Named)]
async fn long_sleeper(event: Named) -> belts::Result<()> {
    let _here = InMemory::new(&event.name);
    step!("before", ()).await?;
    sleep!("night", "8h").await?;
    step!("after", effect(format!("{} after", event.name))).await
}

#[belts::function(id = "short-sleeper", on = Named)]
async fn short_sleeper(event: Named) -> belts::Result<()> {
    let _here = InMemory::new(&event.name);
    sleep!("blink", "2s").await?;
    step!("after", effect(format!("{} after", event.name))).await
}

#[tokio::test]
async fn a_long_sleep_leaves_memory_and_comes_back() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), long_sleeper, &clock).await;
    let running = looped(&worker);
    publish_named(named("sleeper")).via(&worker).await.unwrap();
    eventually("the run sleeps", async || effects("sleeper leaves") == 1).await;
    let run = &runs_of(&store, "long-sleeper").await[0];
    assert_eq!(
        (run.status, run.due_at),
        (
            RunStatus::Suspended,
            Some(clock.now().after(Duration::from_secs(28800)))
        )
    );
    clock.advance(Duration::from_secs(28799));
    tokio::task::yield_now().await;
    assert_eq!(effects("sleeper enters"), 1);
    clock.advance(Duration::from_secs(1));
    eventually("the run goes on", async || effects("sleeper after") == 1).await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    assert_eq!(effects("sleeper enters"), 2);
}

#[tokio::test]
async fn a_short_sleep_stays_in_memory() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), short_sleeper, &clock).await;
    let running = looped(&worker);
    publish_named(named("blinker")).via(&worker).await.unwrap();
    let blinks = async || {
        let runs = runs_of(&store, "short-sleeper").await;
        let view = belts::testing::TestStore::new(std::sync::Arc::new(store.clone()));
        let journal = view.journal(&runs[0].run_id).await.unwrap();
        journal
            .first()
            .is_some_and(|entry| entry.state == StepState::Waiting)
    };
    eventually("the sleep is recorded", blinks).await;
    assert_eq!(
        runs_of(&store, "short-sleeper").await[0].status,
        RunStatus::Running
    );
    clock.advance(Duration::from_secs(2));
    eventually("the run goes on", async || effects("blinker after") == 1).await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    assert_eq!(effects("blinker enters"), 1);
}

#[tokio::test]
async fn a_clock_that_jumps_back_only_makes_sleeps_longer() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), long_sleeper, &clock).await;
    let running = looped(&worker);
    publish_named(named("back")).via(&worker).await.unwrap();
    eventually("the run sleeps", async || effects("back leaves") == 1).await;
    let due = clock.now().after(Duration::from_secs(28800));
    clock.set(clock.now().before(Duration::from_secs(3600)));
    publish_named(named("back two")).via(&worker).await.unwrap();
    eventually("another run", async || effects("back two leaves") == 1).await;
    clock.advance(Duration::from_secs(28800));
    eventually("the other run goes on", async || {
        effects("back two after") == 1
    })
    .await;
    assert_eq!(effects("back after"), 0);
    clock.set(due);
    eventually("the run goes on", async || effects("back after") == 1).await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_clock_that_jumps_far_ahead_loses_no_run() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), long_sleeper, &clock).await;
    let running = looped(&worker);
    for _ in 0..3 {
        publish_named(named("ahead")).via(&worker).await.unwrap();
    }
    eventually("the runs sleep", async || effects("ahead leaves") == 3).await;
    // A year: every lease has ended meanwhile.
    clock.advance(Duration::from_secs(365 * 24 * 3600));
    // A write that fell into the jump is refused and made again after a while.
    eventually("the runs end", async || {
        clock.advance(Duration::from_millis(10));
        runs_of(&store, "long-sleeper")
            .await
            .iter()
            .all(|run| run.status == RunStatus::Completed)
    })
    .await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[belts::function(id = "held-while-set-back", on = Named)]
async fn held_while_set_back(event: Named) -> belts::Result<()> {
    let _here = InMemory::new(&event.name);
    step!("work", gate(&event.name)).await
}

/// The worker compared its clock with times that it had noted before the clock was set back an hour: for an hour it did not renew
/// its lease, so that others took its runs, and did not ask which of them were cancelled.
#[tokio::test]
async fn a_clock_that_is_set_back_holds_up_neither_renewals_nor_what_is_cancelled() {
    let (clock, memory) = (ManualClock::default(), Memory::new());
    let store = Meddled::new(memory.clone());
    let worker = worker_of(store.clone(), held_while_set_back, &clock).await;
    let running = looped(&worker);
    publish_named(named("set back")).via(&worker).await.unwrap();
    eventually("the step begins", async || effects("set back enters") == 1).await;
    let run_id = Arc::clone(&runs_of(&memory, "held-while-set-back").await[0].run_id);

    let renewals = store.counts().renewals();
    clock.set(clock.now().before(Duration::from_secs(60 * 60)));
    // As the sweep does, which a clock that stands holds up.
    worker.configure(|_| {});
    eventually("the lease is renewed", async || {
        store.counts().renewals() > renewals
    })
    .await;
    let elsewhere = Runs::of(Arc::new(memory.clone()));
    assert!(elsewhere.cancel(&run_id).await.unwrap());
    let cancelled = clock.now();
    eventually("the function is dropped", async || {
        clock.advance(Duration::from_millis(50));
        effects("set back leaves") == 1
    })
    .await;
    let waited = clock.now().since(cancelled);
    assert!(waited < Duration::from_secs(30 * 60), "{waited:?}");
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}
