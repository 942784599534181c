//! Workers that run in the background, and this program started again as another process.

use std::{
    ops::Deref,
    process::{Child, Command, Stdio},
};

use belts::{Worker, WorkerBuilder, store::SharedStore};
use tokio::task::JoinHandle;

use crate::{
    Outcome,
    parked::{self, Kind},
    recover, wake,
};

/// A worker whose loop runs.
pub(crate) struct Running {
    worker: Worker,
    run: JoinHandle<belts::Result<()>>,
}

impl Running {
    /// A worker on a place.
    pub(crate) async fn at(
        url: &str,
        functions: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    ) -> Outcome<Self> {
        Self::begin(functions(Worker::builder().store_url(url))).await
    }

    pub(crate) async fn start(
        store: SharedStore,
        functions: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    ) -> Outcome<Self> {
        Self::begin(functions(Worker::builder().shared_store(store))).await
    }

    async fn begin(builder: WorkerBuilder) -> Outcome<Self> {
        let worker = builder.build().await?;
        let background = worker.clone();
        let run = tokio::spawn(async move { background.run().await });
        // The loop has looked at the store once when it waits for more.
        crate::measure::pause(std::time::Duration::from_millis(20)).await;
        Ok(Self { worker, run })
    }

    pub(crate) async fn stop(self) -> Outcome {
        self.worker.shutdown();
        Ok(self.run.await??)
    }
}

impl Deref for Running {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}

const ROLE: &str = "BELTS_BENCH_ROLE";

/// What this process was started for, if it was by another.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Starts this program again with a role, a store's URL and a number; its output can be read.
pub(crate) fn spawn(role: &str, url: &str, count: usize) -> Outcome<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(url).arg(count.to_string()).env(ROLE, role);
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

/// The life of a process that was started with a role.
pub(crate) async fn play(role: &str) -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("a role needs a store's URL")?;
    let count = arguments
        .next()
        .and_then(|count| count.parse().ok())
        .ok_or("a role needs a number")?;
    match role {
        "publish" => wake::publish(&url, count).await,
        "work" => recover::work(&url, count).await,
        "idle" => parked::idle(&url, Kind::Asleep).await,
        "idle-scheduled" => parked::idle(&url, Kind::Scheduled).await,
        "idle-waiting" => parked::idle(&url, Kind::Waiting).await,
        other => Err(format!("there is no role `{other}`").into()),
    }
}
