//! Deliveries that come twice, and crashes at every write, each in one line.

use std::sync::atomic::{AtomicU32, Ordering};

use belts::{Event, sleep, step, testing::Harness};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, Event)]
struct Ordered {
    cents: u64,
}

#[belts::function(id = "sound", on = Ordered)]
async fn sound(ordered: Ordered) -> belts::Result<u64> {
    let net = step!("net", ordered.cents * 100 / 119).await?;
    sleep!("cool-off", "10m").await?;
    step!("book", net).await
}

/// Counts its calls outside of steps, so that a crash changes what it records.
static CALLS: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Serialize, Deserialize, Event)]
struct Counted {}

#[belts::function(id = "unsound", on = Counted)]
async fn unsound(_: Counted) -> belts::Result<u32> {
    step!("before", ()).await?;
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    step!("after", ()).await?;
    Ok(calls)
}

#[tokio::test]
async fn a_delivery_that_comes_twice_runs_once() {
    let harness = Harness::new().await.unwrap();
    let run = harness
        .deliver_twice(sound, Ordered { cents: 119 })
        .await
        .unwrap();
    assert_eq!(run.output().unwrap(), 100);
    assert_eq!((run.evaluations("net"), run.evaluations("book")), (1, 1));
    assert_eq!(harness.runs_of(sound).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_sound_function_passes_the_sweep() {
    let report = Harness::sweep(sound, Ordered { cents: 119 }).await.unwrap();
    assert!(report.cases > 2 * report.writes, "{report:?}");
}

#[tokio::test]
#[should_panic(expected = "a run ended differently than without a crash")]
async fn the_sweep_finds_a_function_that_counts_outside_of_steps() {
    Harness::sweep(unsound, Counted {}).await.unwrap();
}
