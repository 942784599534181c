//! A worker process, as the test starts it again and again.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use belts::Worker;

use crate::{
    Failure,
    patience::persist,
    place::open,
    trail::{self, Process},
    versions::Version,
};

/// Where the log lies; that it is set makes a process a worker.
pub(crate) const DIRECTORY: &str = "BELTS_TORTURE_DIRECTORY";
/// Where the runs are.
pub(crate) const STORE: &str = "BELTS_TORTURE_STORE";
/// The worker's name; without it, nobody can take its runs over by name.
pub(crate) const NAME: &str = "BELTS_TORTURE_NAME";
/// `old` or `new`: which version of the program the worker is.
pub(crate) const VERSION: &str = "BELTS_TORTURE_VERSION";
/// What the worker's random numbers follow from.
pub(crate) const DICE: &str = "BELTS_TORTURE_DICE";

/// Short, so that a stopped worker soon loses its runs.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// Is there once the worker of this process listens for signals.
pub(crate) fn listening(directory: &Path, process: u32) -> PathBuf {
    directory.join(format!("listening-{process}"))
}

pub(crate) fn main(directory: &Path) -> ExitCode {
    end_with_parent();
    match work(directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn work(directory: &Path) -> Result<(), Failure> {
    let dice = std::env::var(DICE)?.parse()?;
    Process::open(directory, dice)?.install();
    let url = std::env::var(STORE)?;
    // A server may be down while this starts.
    let worker = persist(|| build(&url), |_| {}).await?;
    let mut running = pin!(worker.run());
    // Once it has been polled, it is the worker that hears of a signal.
    tokio::select! {
        biased;
        ended = &mut running => return Ok(ended?),
        () = std::future::ready(()) => std::fs::write(listening(directory, std::process::id()), "")?,
    }
    Ok(running.await?)
}

async fn build(url: &str) -> belts::Result<Worker> {
    let mut builder = Worker::builder()
        .shared_store(open(url).await?)
        .lease(LEASE)
        .sweep(Duration::from_millis(250))
        .concurrency(8)
        .on_error(|failure| async move { trail::note_failure(&failure.run_id) });
    if let Ok(name) = std::env::var(NAME) {
        builder = builder.name(name);
    }
    let version = match std::env::var(VERSION).as_deref() {
        Ok("old") => Version::Old,
        _ => Version::New,
    };
    version.functions(builder).build().await
}

/// Ends this process when the test's has ended, however that came about: it holds the other end of our input.
fn end_with_parent() {
    std::thread::spawn(|| {
        let mut line = String::new();
        while matches!(std::io::stdin().read_line(&mut line), Ok(1..)) {}
        std::process::exit(2);
    });
}
