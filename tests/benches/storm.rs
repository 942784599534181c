//! 100,000 sleeping runs that fall due at one instant.

use std::time::Duration;

use belts::testing::ManualClock;

use crate::{
    Outcome,
    functions::{MARKS, woken},
    measure::{float, now, pause},
    place::Place,
    process::Running,
    report::{Row, Target},
    runs::{self, AT_ONCE, ended},
};

const RUNS: usize = 100_000;

pub(crate) async fn sqlite() -> Outcome {
    storm("wake-storm-sqlite", Place::sqlite).await
}

pub(crate) async fn postgres() -> Outcome {
    storm("wake-storm-postgres", Place::postgres).await
}

async fn storm(name: &'static str, place: fn() -> Outcome<Place>) -> Outcome {
    let limit = runs::through(&place()?).await?;
    let (place, clock) = (place()?, ManualClock::default());
    let worker = Running::at(place.url(), |builder| {
        let builder = builder.concurrency(AT_ONCE).clock(clock.clone());
        builder.function(woken)
    })
    .await?;
    MARKS.reset();
    runs::publish(&worker, RUNS, 0).await?;
    while MARKS.steps() < RUNS {
        pause(Duration::from_millis(10)).await;
    }
    let start = now();
    clock.advance(Duration::from_secs(3600));
    ended(&worker, RUNS).await?;
    let value = float(RUNS) / start.elapsed().as_secs_f64();
    worker.stop().await?;
    Row {
        name,
        value,
        unit: "runs/s",
        limit: Some(limit),
        target: Target::TimesAtLeast(0.8),
    }
    .print();
    Ok(())
}
