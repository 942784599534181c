//! Many at once: runs from their publish to their end, and publishes alone.

use std::time::Duration;

use belts::{
    Worker,
    store::{RunFilter, RunStatus, Sqlite},
};
use tokio::task::JoinSet;

use crate::{
    Outcome,
    functions::{MARKS, Work, publish_work, three},
    measure::{Directory, float, median, now, pause},
    place::Place,
    process::Running,
    raw::{self, Raw},
    report::{Row, Target},
};

/// Runs, and publishers, at once.
pub(crate) const AT_ONCE: usize = 64;

/// An event, a run and three steps.
const ROWS: usize = 5;
const RUNS: usize = 5_000;

pub(crate) async fn sqlite() -> Outcome {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let place = Place::sqlite()?;
        let directory = Directory::new()?;
        let mut raw = raw::Sqlite::create(&directory.file("raw.db"), "FULL")?;
        limits.push(rate(&mut raw).await?);
        ours.push(through(&place).await?);
    }
    print("runs-sqlite-full", ours, limits, 0.40);
    Ok(())
}

pub(crate) async fn postgres() -> Outcome {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let place = Place::postgres()?;
        let mut raw = raw::Postgres::create(&place).await?;
        limits.push(rate(&mut raw).await?);
        ours.push(through(&place).await?);
    }
    print("runs-postgres", ours, limits, 0.30);
    Ok(())
}

pub(crate) async fn redis() -> Outcome {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let place = Place::redis()?;
        let mut raw = raw::Redis::create(&place).await?;
        limits.push(rate(&mut raw).await?);
        ours.push(through(&place).await?);
    }
    print("runs-redis", ours, limits, 0.25);
    Ok(())
}

/// Raw rows in a second.
async fn rate(raw: &mut impl Raw) -> Outcome<f64> {
    let rows = RUNS * ROWS / AT_ONCE * AT_ONCE;
    Ok(float(rows) / raw.batches(rows, AT_ONCE).await?.as_secs_f64())
}

/// Runs in a second, from the first publish to the last end.
pub(crate) async fn through(place: &Place) -> Outcome<f64> {
    let worker = Running::at(place.url(), |builder| {
        builder.concurrency(AT_ONCE).function(three)
    })
    .await?;
    MARKS.reset();
    let start = now();
    publish(&worker, RUNS, 0).await?;
    ended(&worker, RUNS).await?;
    let rate = float(RUNS) / start.elapsed().as_secs_f64();
    worker.stop().await?;
    Ok(rate)
}

fn print(name: &'static str, mut ours: Vec<f64>, mut limits: Vec<f64>, least: f64) {
    // The limit in runs, so that it has the unit of the value.
    let (value, limit) = (median(&mut ours), median(&mut limits) / float(ROWS));
    let target = Target::TimesAtLeast(least);
    Row {
        name,
        value,
        unit: "runs/s",
        limit: Some(limit),
        target,
    }
    .print();
}

pub(crate) async fn submit() -> Outcome {
    const EVENTS: usize = 20_000;
    let mut ours = Vec::new();
    for _ in 0..5 {
        let directory = Directory::new()?;
        let store = Sqlite::open(directory.file("belts.db")).await?;
        let worker = Worker::builder()
            .store(store)
            .function(three)
            .build()
            .await?;
        let start = now();
        publish(&worker, EVENTS, 0).await?;
        ours.push(float(EVENTS) / start.elapsed().as_secs_f64());
    }
    let value = median(&mut ours);
    Row {
        name: "submit-sqlite",
        value,
        unit: "events/s",
        limit: None,
        target: Target::AtLeast(10_000.0),
    }
    .print();
    Ok(())
}

/// Publishes as fast as it goes, from a number of tasks.
pub(crate) async fn publish(worker: &Worker, events: usize, steps: u32) -> Outcome {
    let mut publishers: JoinSet<belts::Result<()>> = JoinSet::new();
    for publisher in 0..AT_ONCE {
        let worker = worker.clone();
        let share = events / AT_ONCE + usize::from(publisher < events % AT_ONCE);
        publishers.spawn(async move {
            for _ in 0..share {
                publish_work(Work::of(steps)).via(&worker).await?;
            }
            Ok(())
        });
    }
    while let Some(published) = publishers.join_next().await {
        published??;
    }
    Ok(())
}

/// Waits until so many functions have come to their last line, and their ends are in the store.
pub(crate) async fn ended(worker: &Worker, runs: usize) -> Outcome {
    while MARKS.ends() < runs {
        pause(Duration::from_millis(1)).await;
    }
    loop {
        let unfinished = [RunStatus::Pending, RunStatus::Running, RunStatus::Suspended];
        let filter = RunFilter::new().with_statuses(unfinished).with_limit(1);
        if worker.store().list(filter).await?.runs.is_empty() {
            return Ok(());
        }
        pause(Duration::from_millis(1)).await;
    }
}
