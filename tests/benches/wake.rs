//! An event that another process publishes: how long until the function's first line.

use std::time::Duration;

use belts::Worker;

use crate::{
    Outcome,
    functions::{MARKS, Work, arrived, publish_work},
    measure::{float, median, pause},
    place::Place,
    process::{self, Running},
    report::{Row, Target},
};

const EVENTS: usize = 80;

/// Measures on a place; the row has the given name.
pub(crate) async fn wake(name: &'static str, place: Outcome<Place>) -> Outcome {
    let place = place?;
    let worker = Running::at(place.url(), |builder| builder.function(arrived)).await?;
    let before = MARKS.lags().len();
    let mut publisher = process::spawn("publish", place.url(), EVENTS)?;
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
        name,
        value,
        unit: "ms",
        limit: None,
        target: Target::AtMost(20.0),
    }
    .print();
    Ok(())
}

/// The other process: publishes now and then, at no beat that the worker's looks could fall in with.
pub(crate) async fn publish(url: &str, events: usize) -> Outcome {
    let worker = Worker::builder()
        .store_url(url)
        .publish_only()
        .build()
        .await?;
    for _ in 0..events {
        pause(Duration::from_micros(fastrand::u64(30_000..60_000))).await;
        publish_work(Work::of(0)).via(&worker).await?;
    }
    Ok(())
}
