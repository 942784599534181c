//! Encryption: what a step costs with it, over what it costs without.

use belts::{Event, Keyring, Worker, step, store::Synchronous};
use serde::{Deserialize, Serialize};

use crate::{
    Outcome,
    measure::{Directory, float, median, now},
    process::Running,
    report::{Row, Target},
    warm::Warm,
};

/// Rounds are short and many, so that most of them are not cut by what else the machine does.
const ROUNDS: usize = 120;
const STEPS: u32 = 40;

/// How many steps there are, and what each returns.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Noted {
    steps: u32,
    value: String,
}

#[belts::function(id = "noting", on = Noted)]
async fn noting(noted: Noted) -> belts::Result<u64> {
    let start = now();
    for n in 0..noted.steps {
        step!("note-{n}", noted.value.clone()).await?;
    }
    Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) async fn step_sqlite() -> Outcome {
    let directories = (Directory::new()?, Directory::new()?);
    let plain = Warm::create(&directories.0, Synchronous::Full).await?;
    let sealed = Warm::create(&directories.1, Synchronous::Full).await?;
    let keys = Keyring::new("2026-11", [11; 32]);
    let without = Running::start(plain.store, |builder| builder.function(noting)).await?;
    let with = Running::start(sealed.store, |builder| {
        builder.function(noting).encryption(keys)
    })
    .await?;
    let (mut values, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        limits.push(run(&without).await?);
        values.push(run(&with).await?);
    }
    with.stop().await?;
    without.stop().await?;
    Row {
        name: "sealed-step-sqlite",
        value: median(&mut values),
        unit: "us",
        limit: Some(median(&mut limits)),
        target: Target::TimesAtMost(1.1),
    }
    .print();
    Ok(())
}

/// Microseconds of a step. Its value is 1 KiB of text in which nothing repeats.
async fn run(worker: &Worker) -> Outcome<f64> {
    let value = std::iter::repeat_with(fastrand::alphanumeric).take(1024);
    let noted = Noted {
        steps: STEPS,
        value: value.collect(),
    };
    let executed = worker.execute(noted).await?;
    let nanos: u64 = executed.output("noting")?;
    Ok(float(usize::try_from(nanos)?) / 1e3 / f64::from(STEPS))
}
