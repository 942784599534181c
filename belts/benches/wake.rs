//! An event that another process publishes: how long until the function's first line.

use std::{path::Path, sync::Arc, time::Duration};

use belts::{Worker, store::Sqlite};

use crate::{
    Outcome,
    functions::{MARKS, Work, arrived, publish_work},
    measure::{Directory, float, median, pause},
    process::{self, Running},
    report::{Row, Target},
};

const EVENTS: usize = 80;

pub(crate) async fn wake() -> Outcome {
    let directory = Directory::new()?;
    let database = directory.file("belts.db");
    let worker = Running::start(Arc::new(Sqlite::open(&database).await?), |builder| {
        builder.function(arrived)
    })
    .await?;
    let before = MARKS.lags().len();
    let mut publisher = process::spawn("publish", &database, EVENTS)?;
    while MARKS.lags().len() < before + EVENTS {
        pause(Duration::from_millis(20)).await;
        if publisher
            .try_wait()?
            .is_some_and(|status| !status.success())
        {
            return Err("the process that publishes failed".into());
        }
    }
    publisher.wait()?;
    worker.stop().await?;
    let mut lags = Vec::with_capacity(EVENTS);
    for lag in &MARKS.lags()[before..] {
        lags.push(float(usize::try_from(*lag)?) / 1e3);
    }
    let value = median(&mut lags);
    Row {
        name: "wake-sqlite",
        value,
        unit: "ms",
        limit: None,
        target: Target::AtMost(20.0),
    }
    .print();
    Ok(())
}

/// The other process: publishes now and then, at no beat that the worker's looks could fall in with.
pub(crate) async fn publish(database: &Path, events: usize) -> Outcome {
    let worker = Worker::builder()
        .store(Sqlite::open(database).await?)
        .publish_only()
        .build()
        .await?;
    for _ in 0..events {
        pause(Duration::from_micros(fastrand::u64(30_000..60_000))).await;
        publish_work(Work::of(0)).via(&worker).await?;
    }
    Ok(())
}
