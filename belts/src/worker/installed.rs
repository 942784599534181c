//! The worker that publishing and calling go through: one that was named, that of a scope, or the installed one.

use std::{
    future::Future,
    sync::{PoisonError, RwLock},
};

use super::handle::Worker;
use crate::error::{Error, ErrorKind, Result};

tokio::task_local! {
    /// The worker of the scope that is being polled.
    static SCOPED: Worker;
}

static INSTALLED: RwLock<Option<Worker>> = RwLock::new(None);

pub(crate) fn install(worker: &Worker) {
    *INSTALLED.write().unwrap_or_else(PoisonError::into_inner) = Some(worker.clone());
}

/// Polls a future with this worker in place of the installed one.
pub(crate) fn scope<F: Future>(worker: Worker, future: F) -> impl Future<Output = F::Output> {
    SCOPED.scope(worker, future)
}

fn installed() -> Option<Worker> {
    INSTALLED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// The worker that was named, or else that of the scope or the run whose code this is, or else the installed one. A run is driven
/// in a scope of its worker.
pub(crate) fn worker_for(named: Option<Worker>) -> Result<Worker> {
    let inner = named.or_else(|| SCOPED.try_with(Worker::clone).ok());
    inner.or_else(installed).ok_or_else(|| {
        Error::new(
            ErrorKind::NoWorker,
            "no worker to publish through: call `worker.install()` once at start-up (`belts::serve()` does), \
             name one with `.via(&worker)`, or put the code into `worker.scope(…)`",
        )
    })
}

impl Worker {
    /// Makes this the worker that `publish_*` helpers use, in place of any before.
    pub fn install(&self) {
        install(self);
    }

    /// Has whatever the future publishes or calls go through this worker, in place of the [installed](Self::install) one:
    /// workers side by side, as those of parallel tests, do not get in each other's way.
    ///
    /// It reaches as far as the task of the future; what that spawns has to be put into a scope of its own. The functions of a
    /// worker publish through it in any case.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Worker, step, store::Memory};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<usize> { step!("count", signup.email.len()).await }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = Worker::builder().store(Memory::new()).build().await?;
    /// let length = worker.scope(async { welcome(Signup { email: "ada@example.com".into() }).await }).await?;
    /// assert_eq!(length, 15);
    /// # Ok(()) }
    /// ```
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        scope(self.clone(), future).await
    }
}
