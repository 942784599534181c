//! Runs with many recorded steps: finding one, resuming, and whether a long journal makes steps slow.

use std::sync::Arc;

use belts::{
    Worker,
    store::{Memory, RunStatus, SharedStore, Sqlite, Synchronous},
};

use crate::{
    Outcome,
    functions::{BLOCK, MARKS, Work, resumed},
    measure::{Directory, median, micros, now, quartile},
    place::Place,
    process::Running,
    raw::{self, Raw, Read},
    report::{Row, Target},
};

const RECORDED: u32 = 10_000;

/// Begins a run, or resumes it, and goes on until `step`.
async fn until(worker: &Worker, run: &str, recorded: u32, step: String) -> Outcome {
    let execute = worker.execute(Work::of(recorded)).run_id(run);
    let executed = execute.until(step).await?;
    // Whatever else ends a run, a step limit for one, would measure nothing.
    for run in &executed.runs {
        if run.status != RunStatus::Stopped {
            run.output::<()>()?;
            return Err("the run has ended before the step".into());
        }
    }
    Ok(())
}

pub(crate) async fn hit() -> Outcome {
    let store: SharedStore = Arc::new(Memory::new());
    let worker = Running::start(store, |builder| builder.function(resumed)).await?;
    until(&worker, "run", RECORDED, "more-0".into()).await?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for round in 1..=15 {
        MARKS.take();
        until(&worker, "run", RECORDED, format!("more-{round}")).await?;
        let marks = MARKS.take();
        // The last mark is that of the step that is new.
        let blocks = marks[..marks.len() - 1].windows(2);
        ours.extend(blocks.map(|pair| micros(pair[1] - pair[0]) / f64::from(BLOCK)));
        limits.extend(
            raw::map_hits(RECORDED, BLOCK)?
                .into_iter()
                .map(|time| micros(time) / f64::from(BLOCK)),
        );
    }
    worker.stop().await?;
    let (value, limit) = (quartile(&mut ours), quartile(&mut limits));
    Row {
        name: "journal-hit",
        value,
        unit: "us",
        limit: Some(limit),
        target: Target::AtMost(1.0),
    }
    .print();
    Ok(())
}

pub(crate) async fn resume() -> Outcome {
    let directory = Directory::new()?;
    let worker = normal(&directory).await?;
    let mut raw = raw::Sqlite::create(&directory.file("raw.db"), "NORMAL")?;
    raw.batches(usize::try_from(RECORDED)?, 100).await?;
    resumption("resume-10k-sqlite", worker, &mut raw).await
}

pub(crate) async fn resume_postgres() -> Outcome {
    let place = Place::postgres()?;
    let worker = Running::at(place.url(), |builder| builder.function(resumed)).await?;
    let mut raw = raw::Postgres::create(&place).await?;
    raw.batches(usize::try_from(RECORDED)?, 100).await?;
    resumption("resume-10k-postgres", worker, &mut raw).await
}

/// From the call to the next step, beside the time to read the same rows.
async fn resumption(name: &'static str, worker: Running, raw: &mut impl Read) -> Outcome {
    until(&worker, "run", RECORDED, "more-0".into()).await?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for round in 1..=15 {
        limits.push(raw.read().await?.as_secs_f64() * 1e3);
        MARKS.take();
        let start = now();
        until(&worker, "run", RECORDED, format!("more-{round}")).await?;
        let next = MARKS.take().pop().ok_or("the next step was reached")?;
        ours.push((next - start).as_secs_f64() * 1e3);
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut ours), median(&mut limits));
    let target = Target::TimesAtMost(4.0);
    Row {
        name,
        value,
        unit: "ms",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

/// Two runs in turn, one with 10,000 recorded steps and one with 10; without waits for the disk, so that what the
/// length costs is not hidden behind them.
pub(crate) async fn growth() -> Outcome {
    let directory = Directory::new()?;
    let worker = normal(&directory).await?;
    until(&worker, "long", RECORDED, "more-0".into()).await?;
    let (mut long, mut short) = (Vec::new(), Vec::new());
    for round in 1..=15 {
        long.push(each(&worker, "long", RECORDED, round * MORE).await?);
        short.push(each(&worker, &format!("short-{round}"), 10, MORE).await?);
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut long), median(&mut short));
    let target = Target::TimesAtMost(1.1);
    Row {
        name: "growth-sqlite",
        value,
        unit: "us",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

/// How many new steps there are in a round.
const MORE: usize = 300;

/// Microseconds of a step, the lower quartile of the steps that are new in this resumption.
async fn each(worker: &Worker, run: &str, recorded: u32, last: usize) -> Outcome<f64> {
    MARKS.take();
    until(worker, run, recorded, format!("more-{last}")).await?;
    let marks = MARKS.take();
    let mut steps: Vec<f64> = marks[marks.len() - MORE..]
        .windows(2)
        .map(|pair| micros(pair[1] - pair[0]))
        .collect();
    Ok(quartile(&mut steps))
}

async fn normal(directory: &Directory) -> Outcome<Running> {
    let store = Sqlite::builder(directory.file("belts.db"))
        .synchronous(Synchronous::Normal)
        .open()
        .await?;
    Running::start(Arc::new(store), |builder| builder.function(resumed)).await
}
