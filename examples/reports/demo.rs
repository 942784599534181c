//! The demonstration: a worker in a child process, whose clock is moved, and which is killed, away and replaced.

#![expect(
    clippy::disallowed_methods,
    reason = "a program outside of belts waits by the system's clock"
)]

use std::{
    collections::BTreeMap, error::Error, path::Path, process::Stdio, sync::Arc, time::Duration,
};

use belts::{
    Runs, Schedules, Worker,
    store::{RunStatus, SharedStore, Sqlite},
};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, Command},
    time::{Instant, sleep},
};

use crate::{
    clock::Told,
    reports::{Report, berlin, first, lord_howe, second},
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const STORE: &str = "BELTS_STORE";
const PATIENCE: Duration = Duration::from_secs(60);

/// Midnight of 9 March 2026, UTC, in milliseconds.
const MONDAY: i64 = 1_773_014_400_000;

/// So many hours and minutes after it.
const fn at(day: i64, hour: i64, minute: i64) -> i64 {
    MONDAY + ((day * 24 + hour) * 60 + minute) * 60_000
}

/// Returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let folder = std::env::temp_dir().join(format!("belts-reports-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("reports.db");
    let store: SharedStore = Arc::new(Sqlite::open(&file).await?);

    // 21:00 UTC is 17:00 in New York, and 8:00 of the next day on Lord Howe.
    let mut worker = Running::start(&file, "1", at(0, 20, 0))?;
    wait_until("the schedules", async || {
        Ok(Schedules::of(Arc::clone(&store)).list().await?.len() == 3)
    })
    .await?;
    worker.set(at(0, 21, 0)).await?;
    worker.child.kill().await?;
    println!("SIGKILL        over two ticks");
    let mut worker = Running::start(&file, "1", at(0, 21, 0) + 10_000)?;
    completed(&store, 2).await?;
    worker.child.kill().await?;
    println!("away           over five ticks of Berlin");
    worker = Running::start(&file, "1", at(1, 12, 30))?;
    completed(&store, 3).await?;
    worker.set(at(1, 21, 0)).await?;
    completed(&store, 5).await?;
    worker.child.kill().await?;
    println!("deploy         New York reports at 18:00");
    worker = Running::start(&file, "2", at(1, 21, 30))?;
    wait_until("the other plan", async || {
        let moved = Schedules::of(Arc::clone(&store)).get("new-york").await?;
        Ok(moved.schedule.to_string().starts_with("0 18"))
    })
    .await?;
    for (count, now) in (6..).zip([at(1, 22, 0), at(2, 8, 0), at(2, 9, 0), at(2, 10, 0)]) {
        worker.set(now).await?;
        completed(&store, count).await?;
    }
    worker.child.kill().await?;
    let is_good = verdict(&store).await?;
    if is_good {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(is_good)
}

/// The child process: a worker of a version of the program, whose clock begins at a moment.
pub(crate) async fn work(version: &str, now: &str) -> Outcome<()> {
    let builder = Worker::builder()
        .store_url(std::env::var(STORE)?)
        .name("reports")
        .clock(Told::new(now.parse()?))
        .function(berlin)
        .function(lord_howe);
    let builder = match version {
        "1" => builder.function(first::new_york),
        _ => builder.function(second::new_york),
    };
    Ok(builder.build().await?.run().await?)
}

async fn verdict(store: &SharedStore) -> Outcome<bool> {
    let schedules = Schedules::of(Arc::clone(store)).list().await?;
    let ticks: u64 = schedules
        .iter()
        .map(|schedule| schedule.counts.started)
        .sum();
    let runs = Runs::of(Arc::clone(store)).list().limit(1_000).await?.runs;
    let (mut caught_up, mut missed) = (0, 0);
    let mut told = BTreeMap::<_, usize>::new();
    for run in &runs {
        let run = Runs::of(Arc::clone(store)).get(&run.run_id).await?;
        let output = run.output().ok_or("a run without a report")?;
        let report: Report = serde_json::from_str(output.get())?;
        caught_up += u32::from(report.missed > 0);
        missed += report.missed;
        *told
            .entry((run.function_id, report.scheduled_at))
            .or_default() += 1;
    }
    let twice = told.values().filter(|runs| **runs > 1).count();
    println!(
        "\n{ticks} ticks · {} runs · {caught_up} caught up · {missed} missed told · {twice} twice",
        runs.len()
    );
    Ok((ticks, runs.len(), caught_up, missed, twice) == (9, 9, 1, 4, 0))
}

/// Waits until so many runs have completed.
async fn completed(store: &SharedStore, count: usize) -> Outcome<()> {
    wait_until(&format!("run {count}"), async || {
        let runs = Runs::of(Arc::clone(store))
            .list()
            .status(RunStatus::Completed);
        Ok(runs.limit(1_000).await?.runs.len() == count)
    })
    .await
}

struct Running {
    child: Child,
    clock: ChildStdin,
}

impl Running {
    fn start(file: &Path, version: &str, now: i64) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--worker", version, &now.to_string()])
            .env(STORE, format!("sqlite://{}", file.display()))
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let clock = child.stdin.take().ok_or("the worker has no input")?;
        Ok(Self { child, clock })
    }

    /// Moves the clock of the worker.
    async fn set(&mut self, now: i64) -> Outcome<()> {
        self.clock.write_all(format!("{now}\n").as_bytes()).await?;
        Ok(self.clock.flush().await?)
    }
}

async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> Outcome<bool>) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await? {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for {what}").into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
