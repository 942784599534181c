//! Threads on which runs are replayed: what a function does outside of its steps may block one for ever, and no more than that.

use std::{
    future::Future,
    io, mem,
    pin::Pin,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot};

use crate::error::{Error, Result};

/// How much longer a thread has than what runs on it, which ends by itself unless it blocks.
const GRACE: Duration = Duration::from_millis(500);

/// Runs a future on a thread of its own, as [`Lanes::run`] does, once.
#[cfg(feature = "testing")]
pub(crate) async fn apart<T: Send + 'static>(
    limit: Duration,
    future: impl Future<Output = T> + Send + 'static,
) -> Result<Option<T>> {
    Lanes::default().run(limit, Box::pin(future)).await
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that wait for work.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    idle: Mutex<Vec<mpsc::Sender<Job>>>,
}

impl Lanes {
    /// Runs a future on a thread of its own; `None` if that is blocked for longer than this, and then it is left to itself.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        future: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Result<Option<T>> {
        let lane = match self.idle().pop() {
            Some(lane) => lane,
            None => begin().map_err(|error| Error::store("cannot start a thread", error))?,
        };
        let (runtime, (done, outcome)) = (Handle::current(), oneshot::channel());
        let job = Box::new(move || drop(done.send(runtime.block_on(future))));
        if lane.send(job).is_err() {
            return Ok(None);
        }
        let Ok(Ok(outcome)) = tokio::time::timeout(limit + GRACE, outcome).await else {
            return Ok(None);
        };
        self.idle().push(lane);
        Ok(Some(outcome))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<mpsc::Sender<Job>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that ends when nobody has any more work for it.
fn begin() -> io::Result<mpsc::Sender<Job>> {
    let (lane, jobs) = mpsc::channel::<Job>();
    let work = move || {
        while let Ok(job) = jobs.recv() {
            job();
        }
    };
    let thread = thread::Builder::new()
        .name("belts-check".into())
        .spawn(work)?;
    mem::drop(thread);
    Ok(lane)
}
