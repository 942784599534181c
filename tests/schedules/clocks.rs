//! Clocks that jump by a day.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use belts::{
    Error, Tick, step,
    store::{Memory, SharedStore},
    testing::{Harness, Reopen},
};
use belts_suite::Hooked;

use crate::support::{DAY, HOUR, at, clock, outputs};

#[belts::function(id = "hourly", every = "1h")]
async fn hourly(tick: Tick) -> belts::Result<String> {
    step!(
        "tell",
        format!("{} missed {}", tick.scheduled_at(), tick.missed())
    )
    .await
}

#[belts::function(id = "hourly-all", cron = "0 * * * *", missed = "all")]
async fn hourly_all(tick: Tick) -> belts::Result<String> {
    step!(
        "tell",
        format!("{} missed {}", tick.scheduled_at(), tick.missed())
    )
    .await
}

#[tokio::test]
async fn a_day_forward_is_no_flood() {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T00:30:00Z"));
    let harness = builder.function(hourly).build().await.unwrap();
    harness.travel(HOUR).await.unwrap();
    harness.advance(DAY);
    harness.travel(HOUR).await.unwrap();
    assert_eq!(
        outputs(&harness, hourly).await,
        [
            "2025-01-03T01:00:00Z missed 0",
            "2025-01-04T01:00:00Z missed 23",
            "2025-01-04T02:00:00Z missed 0"
        ]
    );
}

#[tokio::test]
async fn a_day_back_is_no_stall_and_starts_nothing_twice() {
    for restarts in [false, true] {
        let builder = Harness::builder()
            .store(Memory::new())
            .clock(clock("2025-01-03T00:30:00Z"));
        let harness = builder.function(hourly).build().await.unwrap();
        harness.travel(HOUR * 2).await.unwrap();
        // By mistake a day ahead for a while, as far as one tick.
        harness.advance(DAY);
        harness.settle().await.unwrap();
        harness.clock().set(at("2025-01-03T02:30:00Z"));
        if restarts {
            harness.restart().await.unwrap();
        }
        harness.travel(HOUR * 2).await.unwrap();
        assert_eq!(
            outputs(&harness, hourly).await,
            [
                "2025-01-03T01:00:00Z missed 0",
                "2025-01-03T02:00:00Z missed 0",
                "2025-01-03T03:00:00Z missed 0",
                "2025-01-03T04:00:00Z missed 0",
                "2025-01-04T02:00:00Z missed 23",
            ],
            "{restarts}"
        );
        // The tick of the next day was dealt with, and so starts nothing.
        harness.travel_to(at("2025-01-04T03:30:00Z")).await.unwrap();
        assert_eq!(harness.runs_of(hourly).await.unwrap().len(), 27);
    }
}

#[tokio::test]
async fn a_day_forward_and_back_by_turns_starts_each_tick_once() {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T00:30:00Z"));
    let harness = builder.function(hourly_all).build().await.unwrap();
    for _ in 0..3 {
        harness.travel(HOUR * 3).await.unwrap();
        harness.clock().set(at("2025-01-02T00:30:00Z"));
        harness.travel(HOUR * 3).await.unwrap();
        harness.clock().set(at("2025-01-03T00:30:00Z"));
    }
    let told = outputs(&harness, hourly_all).await;
    let mut ticks: Vec<_> = told
        .iter()
        .map(|told| told.split_once(' ').unwrap().0)
        .collect();
    let all = ticks.len();
    ticks.dedup();
    assert_eq!(ticks.len(), all, "{told:?}");
    assert!(all <= 30, "{told:?}");
}

/// A store whose lists of schedules are refused for a while.
struct Refusing(Memory, Arc<AtomicBool>);

#[async_trait::async_trait]
impl Reopen for Refusing {
    async fn open(&self) -> belts::Result<SharedStore> {
        let refuses = Arc::clone(&self.1);
        let inner = self.0.open().await?;
        Ok(Hooked::new(inner, move |method| {
            let fails = method == "schedules" && refuses.load(Ordering::SeqCst);
            Box::pin(async move {
                if fails {
                    return Err(Error::store("not now", "the store is busy"));
                }
                Ok(())
            })
        }))
    }
}

#[tokio::test]
async fn a_day_back_is_no_stall_although_the_look_after_it_fails() {
    let refuses = Arc::new(AtomicBool::new(false));
    let builder = Harness::builder()
        .store(Refusing(Memory::new(), Arc::clone(&refuses)))
        .clock(clock("2025-01-03T00:30:00Z"));
    let harness = builder.function(hourly).build().await.unwrap();
    harness.travel(HOUR).await.unwrap();
    harness.advance(DAY);
    harness.settle().await.unwrap();
    harness.clock().set(at("2025-01-03T01:40:00Z"));
    refuses.store(true, Ordering::SeqCst);
    let _ = harness.settle().await;
    refuses.store(false, Ordering::SeqCst);
    harness.travel(HOUR).await.unwrap();
    let told = outputs(&harness, hourly).await;
    let second = "2025-01-03T02:00:00Z missed 0".to_owned();
    assert!(told.contains(&second), "{told:?}");
}

#[belts::function(id = "ranges", every = "1h")]
async fn ranges(tick: Tick) -> belts::Result<String> {
    let since = tick.previous().map(|previous| previous.to_string());
    step!("tell", format!("{} since {since:?}", tick.scheduled_at())).await
}

#[tokio::test]
async fn after_a_day_back_no_run_begins_in_the_future() {
    let builder = Harness::builder()
        .store(Memory::new())
        .clock(clock("2025-01-03T00:30:00Z"));
    let harness = builder.function(ranges).build().await.unwrap();
    harness.travel(HOUR).await.unwrap();
    harness.advance(DAY);
    harness.settle().await.unwrap();
    harness.clock().set(at("2025-01-03T01:40:00Z"));
    harness.travel(HOUR * 2).await.unwrap();
    assert_eq!(
        outputs(&harness, ranges).await,
        [
            "2025-01-03T01:00:00Z since None",
            "2025-01-03T02:00:00Z since None",
            "2025-01-03T03:00:00Z since Some(\"2025-01-03T02:00:00Z\")",
            "2025-01-04T01:00:00Z since Some(\"2025-01-03T01:00:00Z\")",
        ]
    );
}
