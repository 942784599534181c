//! How long one waits: from a publish to the first line of the function, and to its result.

use std::time::Duration;

use belts::store::Synchronous;

use crate::{
    Outcome,
    functions::{MARKS, Work, arrived, publish_work, three},
    measure::{Directory, median, micros, now, pause},
    place::Place,
    process::Running,
    raw::{self, Raw},
    report::{Row, Target},
    warm::Warm,
};

/// Enough for what a run leaves to be done after its last line.
pub(crate) const REST: Duration = Duration::from_millis(3);
pub(crate) const SAMPLES: usize = 300;

pub(crate) async fn first_line() -> Outcome {
    let directory = Directory::new()?;
    let Warm {
        store,
        mut raw,
        _keeper,
    } = Warm::create(&directory, Synchronous::Full).await?;
    let worker = Running::start(store, |builder| builder.function(arrived)).await?;
    first_lines("first-line-sqlite", worker, &mut raw).await
}

pub(crate) async fn first_line_postgres() -> Outcome {
    let place = Place::postgres()?;
    let mut raw = raw::Postgres::create(&place).await?;
    let worker = Running::at(place.url(), |builder| builder.function(arrived)).await?;
    first_lines("first-line-postgres", worker, &mut raw).await
}

/// From the publish to the function's first line, beside one commit.
async fn first_lines(name: &'static str, worker: Running, raw: &mut impl Raw) -> Outcome {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        pause(REST).await;
        limits.push(micros(raw.commits(1).await?));
        pause(REST).await;
        MARKS.take();
        let work = Work::of(0);
        let start = now();
        publish_work(work).via(&worker).await?;
        MARKS.told().await;
        let first = MARKS.take().pop().ok_or("the function left a mark")?;
        ours.push(micros(first - start));
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut ours), median(&mut limits));
    let target = Target::AtMost(limit + 100.0);
    Row {
        name,
        value,
        unit: "us",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

pub(crate) async fn result() -> Outcome {
    let directory = Directory::new()?;
    let Warm {
        store,
        mut raw,
        _keeper,
    } = Warm::create(&directory, Synchronous::Full).await?;
    let worker = Running::start(store, |builder| builder.function(three)).await?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        pause(REST).await;
        limits.push(micros(raw.commits(5).await?));
        pause(REST).await;
        let work = Work::of(3);
        let start = now();
        let executed = worker.execute(work).await?;
        ours.push(micros(start.elapsed()));
        assert_eq!(executed.output::<u32>("three")?, 6);
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut ours), median(&mut limits));
    let target = Target::AtMost(limit + 300.0);
    Row {
        name: "result-3-sqlite",
        value,
        unit: "us",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}
