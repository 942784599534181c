//! A process that is killed half-way, and one that takes its runs over.

use std::{
    io::{BufRead, BufReader},
    process::Child,
    time::Duration,
};

use crate::{
    Outcome,
    functions::{MARKS, counted},
    measure::{median, now, pause},
    place::Place,
    process::{self, Running},
    report::{Row, Target},
    runs,
};

const RUNS: usize = 1_000;
const STEPS: u32 = 10;

/// Measures on new places; the row has the given name.
pub(crate) fn recover(name: &'static str, place: fn() -> Outcome<Place>) -> Outcome {
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let calm = place()?;
        let mut undisturbed = process::spawn("work", calm.url(), RUNS)?;
        limits.push(last_word(&mut undisturbed)?.parse::<f64>()?);
        undisturbed.wait()?;
        let place = place()?;
        let mut killed = process::spawn("work", place.url(), RUNS)?;
        first_word(&mut killed)?;
        killed.kill()?;
        killed.wait()?;
        let start = now();
        let mut heir = process::spawn("work", place.url(), 0)?;
        last_word(&mut heir)?;
        ours.push(start.elapsed().as_secs_f64());
        heir.wait()?;
    }
    let (value, limit) = (median(&mut ours), median(&mut limits));
    let target = Target::AtMost(1.3 * limit + 0.5);
    Row {
        name,
        value,
        unit: "s",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

fn first_word(child: &mut Child) -> Outcome<String> {
    let output = child.stdout.take().ok_or("the output is piped")?;
    let mut lines = BufReader::new(output).lines();
    Ok(lines.next().ok_or("the process ended without a word")??)
}

fn last_word(child: &mut Child) -> Outcome<String> {
    let output = child.stdout.take().ok_or("the output is piped")?;
    let last = BufReader::new(output).lines().last();
    Ok(last.ok_or("the process ended without a word")??)
}

/// The worker: publishes `runs` runs, says so when half of the steps are done, and at the end how many seconds it took.
/// One that publishes nothing takes over what it finds.
pub(crate) async fn work(url: &str, runs: usize) -> Outcome {
    // Started again under its name, a worker takes its runs back at once, on every store.
    let worker = Running::at(url, |builder| builder.name("recover").function(counted)).await?;
    let start = now();
    let half = runs * usize::try_from(STEPS)? / 2;
    let watch = tokio::spawn(async move {
        while half > 0 && MARKS.steps() < half {
            pause(Duration::from_millis(1)).await;
        }
        println!("half");
    });
    runs::publish(&worker, runs, STEPS).await?;
    runs::ended(&worker, runs).await?;
    watch.await?;
    println!("{}", start.elapsed().as_secs_f64());
    worker.stop().await
}
