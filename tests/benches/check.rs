//! The check of 10,000 runs in flight, on SQLite and on Postgres.

use std::time::Duration;

use belts::Worker;

use crate::{
    Outcome,
    functions::{MARKS, half_way},
    measure::{now, pause},
    place::Place,
    process::Running,
    report::{Row, Target},
    runs,
};

const RUNS: usize = 10_000;

pub(crate) async fn sqlite() -> Outcome {
    check("check-10k", Place::sqlite()?).await
}

pub(crate) async fn postgres() -> Outcome {
    check("check-10k-postgres", Place::postgres()?).await
}

async fn check(name: &'static str, place: Place) -> Outcome {
    let worker = Running::at(place.url(), |builder| builder.function(half_way)).await?;
    MARKS.reset();
    runs::publish(&worker, RUNS, 3).await?;
    while MARKS.ends() < RUNS {
        pause(Duration::from_millis(10)).await;
    }
    worker.stop().await?;
    let begun = now();
    let check = Worker::builder()
        .store_url(place.url())
        .function(half_way)
        .check();
    let report = check.most(RUNS).await?;
    let value = begun.elapsed().as_secs_f64();
    if !report.is_ok() || report.runs() != RUNS {
        return Err(format!("not all runs were checked: {report}").into());
    }
    let (limit, target) = (None, Target::AtMost(5.0));
    let row = Row {
        name,
        value,
        unit: "s",
        limit,
        target,
    };
    row.print();
    Ok(())
}
