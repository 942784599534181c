//! Calls: how long a child run that returns at once takes its parent.

use std::sync::PoisonError;

use belts::{WorkerBuilder, store::Synchronous};

use crate::{
    Outcome,
    functions::{CALLED_AT, MARKS, Work, at_once, calls_at_once},
    latency::{REST, SAMPLES},
    measure::{Directory, median, micros, pause},
    place::Place,
    process::Running,
    raw::{self, Raw},
    report::{Row, Target},
    warm::Warm,
};

fn functions(builder: WorkerBuilder) -> WorkerBuilder {
    builder.function(calls_at_once).function(at_once)
}

pub(crate) async fn sqlite() -> Outcome {
    let directory = Directory::new()?;
    let Warm {
        store,
        mut raw,
        _keeper,
    } = Warm::create(&directory, Synchronous::Full).await?;
    let worker = Running::start(store, functions).await?;
    calls("call-sqlite", worker, &mut raw).await
}

pub(crate) async fn postgres() -> Outcome {
    let place = Place::postgres()?;
    let mut raw = raw::Postgres::create(&place).await?;
    let worker = Running::at(place.url(), functions).await?;
    calls("call-postgres", worker, &mut raw).await
}

/// From the line before the `call!` to the one after it, beside four commits.
async fn calls(name: &'static str, worker: Running, raw: &mut impl Raw) -> Outcome {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    let begun = || {
        CALLED_AT
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    };
    for _ in 0..SAMPLES {
        pause(REST).await;
        limits.push(micros(raw.commits(4).await?));
        pause(REST).await;
        MARKS.take();
        begun();
        let run = calls_at_once(Work::of(0)).via(&worker).start().await?;
        // One that fails says so, and leaves no mark.
        run.result().await?;
        let next = MARKS.take().pop().ok_or("the function left a mark")?;
        let before = begun().ok_or("the function has called")?;
        ours.push(micros(next - before));
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut ours), median(&mut limits));
    Row {
        name,
        value,
        unit: "us",
        limit: Some(limit),
        target: Target::AtMost(limit + 500.0),
    }
    .print();
    Ok(())
}
