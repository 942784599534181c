//! Waits: how long until a run goes on, and what runs that wait cost a publish that is for none of them.

use std::time::Duration;

use belts::{
    Worker,
    store::{RunStatus, Synchronous},
};

use crate::{
    Outcome,
    functions::{MARKS, Paid, Work, paid_for, publish_paid},
    latency::{REST, SAMPLES},
    measure::{Directory, median, micros, now, pause},
    parked::{self, Kind},
    place::Place,
    process::Running,
    raw::{self, Raw},
    report::{Row, Target},
    warm::Warm,
};

pub(crate) async fn wake_sqlite() -> Outcome {
    let directory = Directory::new()?;
    let Warm {
        store,
        mut raw,
        _keeper,
    } = Warm::create(&directory, Synchronous::Full).await?;
    let worker = Running::start(store, |builder| builder.function(paid_for)).await?;
    wakes("wait-wake-sqlite", worker, &mut raw).await
}

pub(crate) async fn wake_postgres() -> Outcome {
    let place = Place::postgres()?;
    let mut raw = raw::Postgres::create(&place).await?;
    let worker = Running::at(place.url(), |builder| builder.function(paid_for)).await?;
    wakes("wait-wake-postgres", worker, &mut raw).await
}

pub(crate) async fn wake_redis() -> Outcome {
    let place = Place::redis()?;
    let mut raw = raw::Redis::create(&place).await?;
    let worker = Running::at(place.url(), |builder| builder.function(paid_for)).await?;
    wakes("wait-wake-redis", worker, &mut raw).await
}

/// From the publish of an awaited event to the next line of the run that waits, beside two commits.
async fn wakes(name: &'static str, worker: Running, raw: &mut impl Raw) -> Outcome {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        pause(REST).await;
        limits.push(micros(raw.commits(2).await?));
        let work = Work::of(0);
        let paid = Paid { of: work.sent_at };
        let run = paid_for(work).via(&worker).start().await?;
        while worker.runs().get(run.run_id()).await?.status != RunStatus::Suspended {
            pause(Duration::from_millis(1)).await;
        }
        pause(REST).await;
        MARKS.take();
        let start = now();
        publish_paid(paid).via(&worker).await?;
        MARKS.told().await;
        let next = MARKS.take().pop().ok_or("the function left a mark")?;
        ours.push(micros(next - start));
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut ours), median(&mut limits));
    Row {
        name,
        value,
        unit: "us",
        limit: Some(limit),
        target: Target::AtMost(limit + 300.0),
    }
    .print();
    Ok(())
}

/// A publish with a key that nobody waits for, beside many runs that wait and where none does.
pub(crate) async fn publish() -> Outcome {
    let directory = Directory::new()?;
    let mut places = Vec::new();
    for (name, runs) in [("full.db", parked::RUNS), ("empty.db", 0)] {
        let file = directory.file(name);
        parked::fill(&file, runs, Kind::Waiting).await?;
        let url = format!("sqlite://{}", file.display());
        let publisher = Worker::builder().store_url(&*url).publish_only();
        places.push((publisher.build().await?, Vec::new()));
    }
    for _ in 0..2 * SAMPLES {
        for (publisher, times) in &mut places {
            let start = now();
            publish_paid(Paid { of: 0 }).via(publisher).await?;
            times.push(micros(start.elapsed()));
        }
    }
    let mut medians = places.iter_mut().map(|(_, times)| median(times));
    let (value, limit) = (
        medians.next().unwrap_or(f64::NAN),
        medians.next().unwrap_or(f64::NAN),
    );
    Row {
        name: "waits-publish-sqlite",
        value,
        unit: "us",
        limit: Some(limit),
        target: Target::TimesAtMost(1.1),
    }
    .print();
    Ok(())
}
