//! Many at once: runs from their publish to their end, and publishes alone.

use std::{sync::Arc, time::Duration};

use belts::{
    Worker,
    store::{RunFilter, RunStatus, Sqlite},
};
use tokio::task::JoinSet;

use crate::{
    Outcome,
    functions::{MARKS, Work, publish_work, three},
    measure::{Directory, float, median, now, pause},
    process::Running,
    raw::Raw,
    report::{Row, Target},
};

/// Runs, and publishers, at once.
const AT_ONCE: usize = 64;

pub(crate) async fn runs() -> Outcome {
    const RUNS: usize = 5_000;
    /// An event, a run and three steps.
    const ROWS: usize = 5;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let directory = Directory::new()?;
        let store = Sqlite::open(directory.file("belts.db")).await?;
        let worker = Running::start(Arc::new(store), |builder| {
            builder.concurrency(AT_ONCE).function(three)
        })
        .await?;
        let mut raw = Raw::create(&directory.file("raw.db"), "FULL")?;
        let rows = RUNS * ROWS / AT_ONCE * AT_ONCE;
        limits.push(float(rows) / raw.batches(rows, AT_ONCE)?.as_secs_f64());
        MARKS.reset();
        let start = now();
        publish(&worker, RUNS, 0).await?;
        ended(&worker, RUNS).await?;
        ours.push(float(RUNS) / start.elapsed().as_secs_f64());
        worker.stop().await?;
    }
    // The limit in runs, so that it has the unit of the value.
    let (value, limit) = (median(&mut ours), median(&mut limits) / float(ROWS));
    let target = Target::TimesAtLeast(0.24);
    Row {
        name: "runs-sqlite-full",
        value,
        unit: "runs/s",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
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
        let statuses = vec![RunStatus::Pending, RunStatus::Running, RunStatus::Suspended];
        let filter = RunFilter {
            statuses,
            limit: 1,
            ..RunFilter::default()
        };
        if worker.store().list(filter).await?.runs.is_empty() {
            return Ok(());
        }
        pause(Duration::from_millis(1)).await;
    }
}
