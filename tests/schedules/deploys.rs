//! Deploys that change a schedule at a bad moment: no tick is lost, and the worker starts.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use belts::{
    Clock, Tick, Timestamp, Worker, step,
    store::{Memory, RunStatus},
    testing::{Harness, ManualClock, Reopen},
};

use crate::support::{HOUR, MINUTE, at, clock, outputs};

macro_rules! version {
    ($module:ident $(, $option:ident = $value:literal)*) => {
        mod $module {
            use super::*;

            #[belts::function(id = "deployed" $(, $option = $value)*)]
            pub(super) async fn deployed(tick: Tick) -> belts::Result<String> {
                step!("tell", format!("{} missed {}", tick.scheduled_at(), tick.missed())).await
            }
        }
    };
}
version!(spread, every = "1h", jitter = "30m");
version!(noon, cron = "0 12 * * *");
version!(at_once, every = "1h");
version!(restless, every = "1ms");

async fn deploy<M>(store: &Memory, clock: &ManualClock, version: impl belts::Function<M>) {
    let builder = Worker::builder().shared_store(store.open().await.unwrap());
    let builder = builder.clock(clock.clone()).function(version);
    builder.build().await.unwrap();
}

#[tokio::test]
async fn a_tick_whose_jitter_is_not_over_is_not_lost() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T00:30:00Z"));
    deploy(&store, &clock, spread::deployed).await;
    clock.set(at("2025-01-03T01:00:00Z"));
    let new = Harness::builder().store(store.clone()).clock(clock.clone());
    let new = new.function(noon::deployed).build().await.unwrap();
    new.travel(MINUTE).await.unwrap();
    let wanted = ["2025-01-03T01:00:00Z missed 0"];
    assert_eq!(outputs(&new, noon::deployed).await, wanted);
}

#[tokio::test]
async fn without_the_jitter_it_starts_at_once_and_the_ticks_count_on() {
    let (store, clock) = (Memory::new(), clock("2025-01-03T00:30:00Z"));
    deploy(&store, &clock, spread::deployed).await;
    clock.set(at("2025-01-03T01:00:00Z"));
    let new = Harness::builder().store(store.clone()).clock(clock.clone());
    let new = new.function(at_once::deployed).build().await.unwrap();
    new.travel(HOUR).await.unwrap();
    let wanted = [
        "2025-01-03T01:00:00Z missed 0",
        "2025-01-03T02:00:00Z missed 0",
    ];
    assert_eq!(outputs(&new, at_once::deployed).await, wanted);
}

/// Each look at it moves it.
#[derive(Debug, Clone)]
struct Hurrying(Arc<AtomicI64>);

#[async_trait::async_trait]
impl Clock for Hurrying {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::AcqRel))
    }

    async fn sleep_until(&self, _: Timestamp) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn an_old_plan_that_is_faster_than_the_store_keeps_no_worker_from_starting() {
    let store = Memory::new();
    let start = at("2025-01-03T00:30:00Z").as_millis();
    let clock = Hurrying(Arc::new(AtomicI64::new(start)));
    let builder = || Worker::builder().store(store.clone()).clock(clock.clone());
    let first = builder().function(restless::deployed);
    drop(first.build().await.unwrap());
    let second = builder().function(noon::deployed).build().await.unwrap();
    let record = second.schedules().get("deployed").await.unwrap();
    assert_eq!(record.schedule.to_string(), "0 12 * * * (UTC)");
    let runs = second.runs().list().await.unwrap().runs;
    assert!(runs.iter().all(|run| run.status == RunStatus::Pending));
}
