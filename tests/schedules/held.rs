//! Ticks of functions that are paused: they are held, whatever happens meanwhile, and count once the function is resumed.

use std::sync::{Arc, OnceLock};

use belts::{
    Functions, Tick, Worker, sleep, step,
    store::Memory,
    testing::{Harness, ManualClock, Reopen},
};

use crate::support::{HOUR, at, clock, outputs};

mod first {
    use super::*;

    #[belts::function(id = "held", every = "1h")]
    pub(super) async fn held(tick: Tick) -> belts::Result<String> {
        step!(
            "tell",
            format!("{} missed {}", tick.scheduled_at(), tick.missed())
        )
        .await
    }
}

mod second {
    use super::*;

    #[belts::function(id = "held", every = "2h")]
    pub(super) async fn held(tick: Tick) -> belts::Result<String> {
        step!(
            "tell",
            format!("{} missed {}", tick.scheduled_at(), tick.missed())
        )
        .await
    }
}

async fn deploy<M>(
    store: &Memory,
    clock: &ManualClock,
    version: impl belts::Function<M>,
) -> Worker {
    let builder = Worker::builder().shared_store(store.open().await.unwrap());
    let builder = builder.clock(clock.clone()).function(version);
    builder.build().await.unwrap()
}

#[tokio::test]
async fn a_deploy_that_changes_the_schedule_starts_none_and_loses_none() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T00:30:00Z"));
    let old = deploy(&store, &clock, first::held).await;
    old.functions().pause("held").await.unwrap();
    drop(old);
    clock.set(at("2025-01-03T05:30:00Z"));
    let new = Harness::builder().store(store.clone()).clock(clock.clone());
    let new = new.function(second::held).build().await.unwrap();
    new.settle().await.unwrap();
    assert!(new.runs_of(second::held).await.unwrap().is_empty());
    new.worker().functions().resume("held").await.unwrap();
    new.travel(HOUR).await.unwrap();
    let wanted = [
        "2025-01-03T04:00:00Z missed 1",
        "2025-01-03T06:00:00Z missed 0",
    ];
    assert_eq!(outputs(&new, second::held).await, wanted);
}

static STORE: OnceLock<Memory> = OnceLock::new();

async fn pause() {
    let store = STORE.get().unwrap().clone();
    let functions = Functions::of(Arc::new(store));
    functions.pause("held-queue").await.unwrap();
}

#[belts::function(id = "held-queue", every = "1h", overlap = "queue")]
async fn queue(tick: Tick) -> belts::Result<String> {
    sleep!("rest", "90m").await?;
    if tick.previous().is_none() {
        step!("pause", pause()).await?;
    }
    step!("tell", tick.scheduled_at().to_string()).await
}

#[tokio::test]
async fn the_end_of_a_run_starts_no_tick_that_waits_for_it() {
    let store = STORE.get_or_init(Memory::new).clone();
    let builder = Harness::builder()
        .store(store)
        .clock(clock("2025-01-03T00:30:00Z"));
    let harness = builder.function(queue).build().await.unwrap();
    harness.travel(HOUR * 3).await.unwrap();
    let runs = harness.runs_of(queue).await.unwrap();
    assert_eq!(
        runs.len(),
        1,
        "the one of 1:00, which has paused the function"
    );
    harness
        .worker()
        .functions()
        .resume("held-queue")
        .await
        .unwrap();
    harness.travel(HOUR * 2).await.unwrap();
    let wanted = ["2025-01-03T01:00:00Z", "2025-01-03T02:00:00Z"];
    let runs = harness.runs_of(queue).await.unwrap();
    let ended = runs.iter().filter_map(|run| run.output().ok());
    let mut ended: Vec<_> = ended.collect();
    ended.sort_unstable();
    assert_eq!(ended, wanted);
}
