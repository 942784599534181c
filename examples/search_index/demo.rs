//! The demonstration: a worker in a process of its own, killed half-way and started again.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{
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
    documents::{DocumentChanged, publish_document_changed},
    engine::{Contents, Engine},
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const FOLDER: &str = "SEARCH_INDEX_FOLDER";
const PATIENCE: Duration = Duration::from_secs(180);
/// How long the leases of a worker that was killed stand.
const LEASE: Duration = Duration::from_secs(2);
const DOCUMENTS: u32 = 200;
const VERSIONS: u32 = 50;
const UPDATES: u32 = DOCUMENTS * VERSIONS;

/// Returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let folder = std::env::temp_dir().join(format!("belts-search-index-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let engine = Engine::open(&folder.join("engine.db"))?;
    let client = Worker::builder().store_url(store_url(&folder));
    let client = client.publish_only().build().await?;
    let mut worker = start(&folder).await?;
    for version in 1..=VERSIONS {
        change_all(&client, version).await?;
        if version % 10 == 0 {
            let changed = version * DOCUMENTS;
            println!("{changed:>5} updates  of {DOCUMENTS} documents are published");
        }
        if version == VERSIONS / 2 {
            counted(&engine, UPDATES / 4).await?;
            worker.kill().await?;
            let contents = engine.contents()?;
            println!(
                "SIGKILL        of the worker after {} writes",
                contents.writes
            );
        }
    }
    worker = start(&folder).await?;
    completed(&client).await?;
    worker.kill().await?;
    let is_good = verdict(&engine.contents()?);
    if is_good {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(is_good)
}

/// A child process: a worker, which says when it is there.
pub(crate) async fn work() -> Outcome<()> {
    let folder = PathBuf::from(std::env::var_os(FOLDER).ok_or("there is no folder")?);
    let engine = Arc::new(Engine::open(&folder.join("engine.db"))?);
    let worker = Worker::builder()
        .store_url(store_url(&folder))
        .state(engine)
        .lease(LEASE)
        .sweep(Duration::from_millis(50));
    let worker = worker.build().await?;
    println!("worker         is there");
    Ok(worker.run().await?)
}

fn store_url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("belts.db").display())
}

/// A new version of every document.
async fn change_all(client: &Worker, version: u32) -> Outcome<()> {
    let changes = (0..DOCUMENTS)
        .map(|document| publish_document_changed(DocumentChanged { document, version }));
    for one in belts::publish_all(changes).via(client).await {
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

/// Waits until so many updates were counted.
async fn counted(engine: &Engine, updates: u32) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while engine.contents()?.counted < updates {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for {updates} updates").into());
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

fn verdict(contents: &Contents) -> bool {
    let lost = UPDATES - contents.counted.min(UPDATES);
    let is_last = |(_, version): &&(u32, u32)| *version == VERSIONS;
    let fresh = contents.versions.iter().filter(is_last).count();
    let stale = usize::try_from(DOCUMENTS).unwrap_or(usize::MAX) - fresh;
    let writes = contents.writes;
    println!("\n{UPDATES} updates · {lost} lost · {stale} stale · {writes} writes");
    lost == 0 && stale == 0 && writes < UPDATES / 10
}
