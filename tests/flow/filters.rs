//! Filters beside flow options: code that changes between the publish and the drive, and filters that fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use belts::{
    Event, sleep,
    store::{NewEvent, Publish, RunStatus},
    testing::{Harness, SqliteFile},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Weighed {
    n: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Shelved {
    n: u32,
}

/// What the filter of the present version says.
static WANTS: AtomicBool = AtomicBool::new(true);
/// Whether the filter of the other function panics.
static FALLS: AtomicBool = AtomicBool::new(false);

#[belts::function(id = "weighs", on = Weighed, when = |_| WANTS.load(Ordering::SeqCst), batch(size = 10, within = "5s"))]
async fn weighs(events: Vec<Weighed>) -> belts::Result<Vec<u32>> {
    Ok(events.into_iter().map(|event| event.n).collect())
}

#[belts::function(
    id = "shelves",
    on = Shelved,
    when = |_| { assert!(!FALLS.swap(false, Ordering::SeqCst), "the filter falls"); true },
    singleton(then = "skip"),
)]
async fn shelves(event: Shelved) -> belts::Result<u32> {
    sleep!("a day", "1d").await?;
    Ok(event.n)
}

/// A deploy changes the filter while a batch collects: what it collected was wanted when it came, and is not thrown away.
#[tokio::test]
async fn a_batch_that_collects_outlives_a_change_of_the_filter() -> belts::Result<()> {
    let harness = Harness::new().await?;
    for n in [1, 2] {
        harness.publish(Weighed { n }).await?;
    }
    WANTS.store(false, Ordering::SeqCst);
    harness.publish(Weighed { n: 3 }).await?;
    harness.travel(Duration::from_secs(6)).await?;
    let runs = harness.runs_of(weighs).await?;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].output()?, [1, 2]);
    Ok(())
}

/// The run of an unrouted event fails once by its filter. It has not begun by that: flow options apply to it all the same.
#[tokio::test]
async fn a_filter_that_failed_does_not_pass_flow_options_by() -> belts::Result<()> {
    let place = SqliteFile::temporary();
    let harness = Harness::builder().store(place).build().await?;
    let first = harness.publish(Shelved { n: 1 }).await?;
    FALLS.store(true, Ordering::SeqCst);
    let payload: Arc<[u8]> = Arc::from(*b"{\"n\":2}");
    let unrouted = NewEvent::new("unrouted", "shelved", payload, harness.now());
    let publish = Publish::new(vec![unrouted], harness.now());
    harness.store().shared().publish(publish).await?;
    harness.travel(Duration::from_secs(3_600)).await?;
    assert!(!FALLS.load(Ordering::SeqCst), "the filter was asked");
    let runs = harness.runs_of(shelves).await?;
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1].status(), Some(RunStatus::Cancelled));
    let why = format!("skipped by singleton: run {}", first.runs[0].run_id);
    assert_eq!(runs[1].why().as_deref(), Some(&*why));
    Ok(())
}
