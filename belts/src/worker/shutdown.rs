//! The end of a worker: no new runs, a grace period for running steps, the rest given back.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::{runtime::Handle, sync::watch, task::JoinSet};

use super::{Shared, Worker};

/// The tasks of a worker, and how far its end is.
#[derive(Debug)]
pub(crate) struct Shutdown {
    begun: watch::Sender<bool>,
    over: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            begun: watch::Sender::new(false),
            over: watch::Sender::new(false),
            tasks: Mutex::new(JoinSet::new()),
        }
    }
}

impl Shutdown {
    pub(crate) fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    pub(crate) fn begin(&self) {
        self.begun.send_replace(true);
    }

    /// Returns when the shutdown has begun.
    pub(crate) async fn begun(&self) {
        // The sender lives as long as this does, so the wait can only end well.
        let _ = self.begun.subscribe().wait_for(|begun| *begun).await;
    }

    /// Ends at once, as if the process had died.
    #[cfg(feature = "testing")]
    pub(crate) fn kill(&self) {
        self.over.send_replace(true);
        self.begin();
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
    }

    /// Returns when the worker has given back what it had.
    #[cfg(feature = "http")]
    async fn ended(&self) {
        // As above.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    /// Spawns the drive of a run on this runtime, and forgets those that have ended.
    pub(crate) fn spawn(&self, home: &Handle, drive: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(drive, home);
    }
}

impl Worker {
    /// Begins the shutdown: [`run`](Worker::run) and `serve` return once running steps have ended or the grace period has.
    pub fn shutdown(&self) {
        self.shared.shutdown.begin();
    }
}

impl Shared {
    /// Returns when no run will end here any more: after the drain, or the grace period where no loop is there to drain.
    #[cfg(feature = "http")]
    pub(crate) async fn gone(&self) {
        self.shutdown.begun().await;
        let grace = self.options().grace;
        tokio::select! {
            () = self.shutdown.ended() => {}
            () = self.clock.expire_at(self.clock.now().after(grace)), if !self.running.load(std::sync::atomic::Ordering::Acquire) => {}
        }
    }

    /// Waits for running steps, drops what takes longer than the grace period, and gives the runs back.
    pub(crate) async fn drain(self: &Arc<Self>) {
        let running = self.slots.used();
        if running > 0 {
            tracing::info!(running, grace = ?self.options().grace, "shutting down; running steps may finish");
        }
        let mut tasks = std::mem::take(
            &mut *self
                .shutdown
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        tokio::select! {
            () = async { while tasks.join_next().await.is_some() {} } => {}
            () = self.clock.expire_at(self.clock.now().after(self.options().grace)) => {
                tracing::warn!(running = self.slots.used(), "the grace period is over; the runs are given back");
            }
        }
        tasks.shutdown().await;
        if let Some(session) = self.present_session()
            && let Err(error) = self.store.deregister(session, self.clock.now()).await
        {
            tracing::warn!(error = %error.report(), "cannot end the session; its runs move on when its lease ends");
        }
        self.shutdown.over.send_replace(true);
    }
}

/// Begins the shutdown when the process is asked to end.
pub(crate) async fn on_signal(worker: Weak<Shared>) {
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    if let Some(shared) = worker.upgrade() {
        shared.shutdown.begin();
    }
}
