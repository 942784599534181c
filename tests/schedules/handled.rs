//! What else a function with a schedule has as any other: failure handlers, limits of time, filters.

use belts::{Failed, Tick, step, store::RunStatus, testing::Harness};

use crate::support::{DAY, HOUR, clock, outputs};

#[belts::function(id = "fails", cron = "0 9 * * *", retries = 0)]
async fn fails(tick: Tick) -> belts::Result<()> {
    step!("work", async {
        Err::<(), _>(belts::terminal(tick.missed().to_string()))
    })
    .await
}

#[belts::function(id = "fails-handler", on_failure = fails)]
async fn handler(failed: Failed<Tick>) -> belts::Result<String> {
    step!(
        "tell",
        format!("{} {}", failed.event.scheduled_at(), failed.function_id)
    )
    .await
}

#[belts::function(
    id = "late",
    cron = "0 9 * * *",
    start_within = "1h",
    finish_within = "2h"
)]
async fn late(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[tokio::test]
async fn a_failure_handler_takes_a_failed_tick() {
    let builder = Harness::builder().clock(clock("2025-01-03T08:00:00Z"));
    let harness = builder
        .function(fails)
        .function(handler)
        .build()
        .await
        .unwrap();
    harness.travel(DAY * 2).await.unwrap();
    assert_eq!(
        outputs(&harness, handler).await,
        ["2025-01-03T09:00:00Z fails", "2025-01-04T09:00:00Z fails"]
    );
}

#[tokio::test]
async fn limits_of_time_count_from_the_tick() {
    let builder = Harness::builder().clock(clock("2025-01-03T08:00:00Z"));
    let harness = builder.function(late).build().await.unwrap();
    harness.advance(HOUR);
    harness.worker().schedules().next(1).await.unwrap();
    // Its run is there and is not claimed in time.
    let worker = harness.worker();
    let run_id = worker.schedules().trigger_now("late").await.unwrap();
    harness.advance(HOUR * 2);
    harness.travel(HOUR).await.unwrap();
    let run = worker.runs().get(&run_id).await.unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
}
