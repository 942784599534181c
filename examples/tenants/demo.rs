//! The demonstration: two workers in processes of their own, killed half-way and started again.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{
    collections::BTreeMap,
    error::Error,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use belts::{
    Worker,
    store::{RunFilter, RunStatus},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    files::{FileUploaded, publish_file_uploaded},
    ledger::{Indexed, Ledger, at_once, now},
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const FOLDER: &str = "TENANTS_FOLDER";
const PATIENCE: Duration = Duration::from_secs(180);
/// How long the leases of a worker that was killed stand.
const LEASE: Duration = Duration::from_secs(2);
const TENANTS: u32 = 20;
const BACKLOG: u32 = 5_000;
const OF_THE_OTHERS: u32 = 10;
const RUNS: usize = (BACKLOG + (TENANTS - 1) * OF_THE_OTHERS) as usize;

/// Returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let folder = std::env::temp_dir().join(format!("belts-tenants-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let ledger = Ledger::open(&folder.join("ledger.db"))?;
    let client = Worker::builder().store_url(store_url(&folder));
    let client = client.publish_only().build().await?;
    let mut workers = [start(&folder).await?, start(&folder).await?];
    upload(&client, 0, BACKLOG).await?;
    println!("tenant 0       has {BACKLOG} files");
    indexed(&ledger, RUNS / 10).await?;
    let mut asked = BTreeMap::new();
    for tenant in 1..TENANTS {
        asked.insert(tenant, now());
        upload(&client, tenant, OF_THE_OTHERS).await?;
    }
    println!("19 tenants     upload {OF_THE_OTHERS} files each");
    indexed(&ledger, RUNS / 2).await?;
    for worker in &mut workers {
        worker.kill().await?;
    }
    let killed = now();
    println!(
        "SIGKILL        of both workers after {} files",
        ledger.all()?.len()
    );
    workers = [start(&folder).await?, start(&folder).await?];
    completed(&client).await?;
    for worker in &mut workers {
        worker.kill().await?;
    }
    let is_good = verdict(&ledger.all()?, &asked, killed, places_left(&client).await?);
    if is_good {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(is_good)
}

/// A child process: a worker, which says when it is there.
pub(crate) async fn work() -> Outcome<()> {
    let folder = PathBuf::from(std::env::var_os(FOLDER).ok_or("there is no folder")?);
    let ledger = Arc::new(Ledger::open(&folder.join("ledger.db"))?);
    let worker = Worker::builder()
        .store_url(store_url(&folder))
        .state(ledger)
        .lease(LEASE)
        .sweep(Duration::from_millis(50));
    let worker = worker.build().await?;
    println!("worker         is there");
    Ok(worker.run().await?)
}

fn store_url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("tenants.db").display())
}

async fn upload(client: &Worker, tenant: u32, files: u32) -> Outcome<()> {
    let files = (0..files).map(|file| publish_file_uploaded(FileUploaded { tenant, file }));
    let published = belts::publish_all(files).via(client).await;
    for one in published {
        one?;
    }
    Ok(())
}

async fn start(folder: &Path) -> Outcome<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--worker").env(FOLDER, folder);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let stdout = child.stdout.take().ok_or("the worker has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let Some(line) = timeout(PATIENCE, lines.next_line()).await?? else {
        return Err("the worker ended before it was there; its error is above".into());
    };
    println!("{line}");
    Ok(child)
}

/// Waits until so many files were begun.
async fn indexed(ledger: &Ledger, files: usize) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while ledger.all()?.len() < files {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for {files} files").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn completed(client: &Worker) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    let open = RunFilter::new()
        .with_statuses(RunStatus::UNFINISHED)
        .with_limit(1);
    while !client.store().list(open.clone()).await?.runs.is_empty() {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for the end of all runs").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The runs that hold a place though nobody drives them.
async fn places_left(client: &Worker) -> Outcome<usize> {
    let running = RunFilter::new().with_statuses([RunStatus::Running]);
    Ok(client.store().list(running).await?.runs.len())
}

fn verdict(all: &[Indexed], asked: &BTreeMap<u32, i64>, killed: i64, left: usize) -> bool {
    let mut tenants: BTreeMap<u32, Vec<Indexed>> = BTreeMap::new();
    for one in all {
        tenants.entry(one.tenant).or_default().push(*one);
    }
    let of_a_tenant = tenants.values().map(|own| at_once(own, killed)).max();
    let (of_a_tenant, at_once) = (of_a_tenant.unwrap_or(0), at_once(all, killed));
    // From the upload to the first file of each quiet tenant.
    let waits = asked.iter().filter_map(|(tenant, asked)| {
        let first = tenants.get(tenant)?.iter().map(|one| one.begun).min()?;
        Some((first - asked).max(0))
    });
    let waits: Vec<i64> = waits.collect();
    let count = i64::try_from(waits.len().max(1)).unwrap_or(1);
    let hundredths = waits.iter().sum::<i64>() / count / 10_000;
    let done = all.iter().filter(|one| one.done.is_some()).count();
    println!(
        "\n{} tenants · {RUNS} runs · at most {of_a_tenant} per tenant · at most {at_once} at once · quiet tenants waited {}.{:02} s · \
         {left} places left",
        tenants.len(),
        hundredths / 100,
        hundredths % 100
    );
    let is_bounded = of_a_tenant == 1 && at_once <= 8 && left == 0;
    is_bounded && tenants.len() == 20 && done >= RUNS
}
