//! The demonstration: a worker in a child process, and a SIGKILL half-way.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{error::Error, path::PathBuf, process::Stdio, time::Duration};

use belts::{
    Worker,
    store::{RunFilter, RunRecord},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::newsletter::{NewsletterDue, Sent, send_newsletter};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const STORE: &str = "BELTS_STORE";
const PATIENCE: Duration = Duration::from_secs(60);
const READERS: u32 = 200;
const CHILDREN: usize = READERS as usize;

/// Returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let folder = std::env::temp_dir().join(format!("belts-fan-out-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let store = store_url(&folder);
    let client = Worker::builder().store_url(&store).publish_only();
    let client = client.build().await?;
    let mut worker = start(&store).await?;
    let newsletter = NewsletterDue { readers: READERS };
    let run = send_newsletter(newsletter)
        .run_id("may")
        .via(&client)
        .start()
        .await?;
    half_way(&client).await?;
    worker.kill().await?;
    let (ended, all) = count(&children(&client).await?);
    println!("SIGKILL        after {ended} of {all} letters");
    let mut worker = start(&store).await?;
    let sent = timeout(PATIENCE, run.result()).await??;
    worker.kill().await?;
    let is_good = verdict(sent, &children(&client).await?);
    if is_good {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(is_good)
}

/// The child process: a worker, which says when it is there.
pub(crate) async fn work() -> Outcome<()> {
    let worker = Worker::builder().store_url(std::env::var(STORE)?);
    let worker = worker.build().await?;
    println!("worker         is there");
    Ok(worker.run().await?)
}

fn store_url(folder: &std::path::Path) -> String {
    let file: PathBuf = folder.join("newsletter.db");
    format!("sqlite://{}", file.display())
}

async fn start(store: &str) -> Outcome<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--worker").env(STORE, store);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let stdout = child.stdout.take().ok_or("the worker has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let Some(line) = timeout(PATIENCE, lines.next_line()).await?? else {
        return Err("the worker ended before it was there; its error is above".into());
    };
    println!("{line}");
    Ok(child)
}

async fn half_way(client: &Worker) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while count(&children(client).await?).0 < CHILDREN / 2 {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for half of the letters").into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Every run that the newsletter has called.
async fn children(client: &Worker) -> Outcome<Vec<RunRecord>> {
    let filter = RunFilter::new().with_parent("may").with_limit(2 * CHILDREN);
    Ok(client.store().list(filter).await?.runs)
}

/// How many have ended, and how many there are.
fn count(children: &[RunRecord]) -> (usize, usize) {
    let ended = children.iter().filter(|run| run.status.is_finished());
    (ended.count(), children.len())
}

fn verdict(sent: Sent, children: &[RunRecord]) -> bool {
    let Sent { completed, failed } = sent;
    let twice = children.len().abs_diff(CHILDREN);
    println!(
        "\n{CHILDREN} children · {completed} completed · {failed} failed · 1 crash · {twice} started twice"
    );
    (completed, failed, twice) == (190, 10, 0)
}
