//! One more sequential step: on each store.

use belts::{
    Worker,
    store::{Memory, SharedStore, Synchronous},
};
use std::sync::Arc;

use crate::{
    Outcome,
    functions::{Work, sequential},
    measure::{Directory, float, median, micros, quartile},
    place::Place,
    process::Running,
    raw::{self, Raw},
    report::{Row, Target},
    warm::Warm,
};

/// Rounds are short and many, so that most of them are not cut by what else the machine does.
const ROUNDS: usize = 80;

pub(crate) async fn sqlite_full() -> Outcome {
    let (value, limit) = sqlite(Synchronous::Full, 40).await?;
    let target = Target::TimesAtMost(1.3);
    Row {
        name: "step-sqlite-full",
        value,
        unit: "us",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

pub(crate) async fn sqlite_normal() -> Outcome {
    let (value, limit) = sqlite(Synchronous::Normal, 100).await?;
    let target = Target::AtMost(limit + 35.0);
    Row {
        name: "step-sqlite-normal",
        value,
        unit: "us",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

/// Microseconds of a step and of a raw commit.
async fn sqlite(synchronous: Synchronous, steps: u32) -> Outcome<(f64, f64)> {
    let directory = Directory::new()?;
    let Warm {
        store,
        mut raw,
        _keeper,
    } = Warm::create(&directory, synchronous).await?;
    let worker = Running::start(store, |builder| builder.function(sequential)).await?;
    alternate(worker, steps, &mut raw).await
}

pub(crate) async fn postgres() -> Outcome {
    let place = Place::postgres()?;
    let mut raw = raw::Postgres::create(&place).await?;
    let worker = Running::at(place.url(), |builder| builder.function(sequential)).await?;
    let (value, limit) = alternate(worker, 40, &mut raw).await?;
    let target = Target::TimesAtMost(1.3);
    Row {
        name: "step-postgres",
        value,
        unit: "us",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

pub(crate) async fn redis() -> Outcome {
    let place = Place::redis()?;
    let mut raw = raw::Redis::create(&place).await?;
    let worker = Running::at(place.url(), |builder| builder.function(sequential)).await?;
    let (value, limit) = alternate(worker, 100, &mut raw).await?;
    let target = Target::TimesAtMost(1.5);
    Row {
        name: "step-redis",
        value,
        unit: "us",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

/// Microseconds of a step and of a raw commit, in turn.
async fn alternate(worker: Running, steps: u32, raw: &mut impl Raw) -> Outcome<(f64, f64)> {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        limits.push(micros(raw.commits(usize::try_from(steps)?).await?) / f64::from(steps));
        ours.push(run(&worker, steps).await?);
    }
    worker.stop().await?;
    Ok((median(&mut ours), median(&mut limits)))
}

pub(crate) async fn memory() -> Outcome {
    const STEPS: u32 = 500;
    let store: SharedStore = Arc::new(Memory::new());
    let worker = Running::start(store, |builder| builder.function(sequential)).await?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..2 * ROUNDS {
        limits.push(micros(raw::map_inserts(STEPS)?) / f64::from(STEPS));
        ours.push(run(&worker, STEPS).await?);
    }
    worker.stop().await?;
    let (value, limit) = (quartile(&mut ours), quartile(&mut limits));
    Row {
        name: "step-memory",
        value,
        unit: "us",
        limit: Some(limit),
        target: Target::TimesAtMost(3.0),
    }
    .print();
    Ok(())
}

/// Microseconds of a step, in a run of `steps` steps.
async fn run(worker: &Worker, steps: u32) -> Outcome<f64> {
    let executed = worker.execute(Work::of(steps)).await?;
    let nanos: u64 = executed.output("sequential")?;
    Ok(float(usize::try_from(nanos)?) / 1e3 / f64::from(steps))
}
