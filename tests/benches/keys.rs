//! Limits of runs at once for each key: what they cost runs that go on, and what a key whose places are taken costs the others.

use std::time::Duration;

use belts::Worker;
use tokio::task::JoinSet;

use crate::{
    Outcome,
    functions::{MARKS, Work, keyed, one_each, publish_work, release, three},
    measure::{float, median, now, pause},
    place::Place,
    process::Running,
    report::{Row, Target},
    runs::{AT_ONCE, ended},
};

/// As many keys, each with one run.
const KEYS: u32 = 10_000;
/// Runs of the key whose places are taken.
const BLOCKED: u32 = 100_000;
/// Runs of the other key that are measured.
const FREE: usize = 2_000;
/// The key that is blocked, and the other one.
const KEY_BLOCKED: u32 = 0;
const KEY_FREE: u32 = 1;

pub(crate) async fn claim_sqlite() -> Outcome {
    claim("keys-claim-sqlite", Place::sqlite).await
}

pub(crate) async fn claim_postgres() -> Outcome {
    claim("keys-claim-postgres", Place::postgres).await
}

async fn claim(name: &'static str, place: fn() -> Outcome<Place>) -> Outcome {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for (with_keys, rates) in [(false, &mut limits), (true, &mut ours)] {
            let place = place()?;
            let worker = Running::at(place.url(), |builder| {
                let builder = builder.concurrency(AT_ONCE);
                if with_keys {
                    builder.function(one_each)
                } else {
                    builder.function(three)
                }
            })
            .await?;
            MARKS.reset();
            let start = now();
            publish(&worker, 0..KEYS).await?;
            let runs = usize::try_from(KEYS)?;
            ended(&worker, runs).await?;
            rates.push(float(runs) / start.elapsed().as_secs_f64());
            worker.stop().await?;
        }
    }
    print(name, &mut ours, &mut limits, 0.6);
    Ok(())
}

pub(crate) async fn blocked_postgres() -> Outcome {
    let place = Place::postgres()?;
    let worker = Running::at(place.url(), |builder| {
        builder.concurrency(AT_ONCE).function(keyed)
    })
    .await?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        limits.push(free(&worker).await?);
    }
    publish(&worker, (0..BLOCKED).map(|_| KEY_BLOCKED)).await?;
    // The places are taken, and all the others stand in line.
    free(&worker).await?;
    for _ in 0..3 {
        ours.push(free(&worker).await?);
    }
    print("keys-blocked-postgres", &mut ours, &mut limits, 0.9);
    release();
    worker.stop().await
}

/// Runs of the free key in a second.
async fn free(worker: &Worker) -> Outcome<f64> {
    MARKS.reset();
    let start = now();
    publish(worker, (0..FREE).map(|_| KEY_FREE)).await?;
    while MARKS.ends() < FREE {
        pause(Duration::from_millis(1)).await;
    }
    Ok(float(FREE) / start.elapsed().as_secs_f64())
}

/// Publishes a run of each of these keys, from a number of tasks.
async fn publish(worker: &Worker, keys: impl Iterator<Item = u32>) -> Outcome {
    let keys: Vec<u32> = keys.collect();
    let mut publishers: JoinSet<belts::Result<()>> = JoinSet::new();
    for share in keys.chunks(keys.len().div_ceil(AT_ONCE)) {
        let (worker, share) = (worker.clone(), share.to_vec());
        publishers.spawn(async move {
            for key in share {
                publish_work(Work::of(key)).via(&worker).await?;
            }
            Ok(())
        });
    }
    while let Some(published) = publishers.join_next().await {
        published??;
    }
    Ok(())
}

fn print(name: &'static str, ours: &mut [f64], limits: &mut [f64], least: f64) {
    Row {
        name,
        value: median(ours),
        unit: "runs/s",
        limit: Some(median(limits)),
        target: Target::TimesAtLeast(least),
    }
    .print();
}
