//! The tasks of a worker, and how far its end is.

use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use tokio::{runtime::Handle, sync::watch, task::JoinSet};

/// The tasks of a worker, and how far its end is.
#[derive(Debug)]
pub(crate) struct Shutdown {
    pub(super) begun: watch::Sender<bool>,
    /// Whether the grace period is over before its time.
    hurried: watch::Sender<bool>,
    pub(super) over: watch::Sender<bool>,
    tasks: Mutex<Tasks>,
}

/// The drives.
#[derive(Debug, Default)]
struct Tasks {
    drives: JoinSet<()>,
    /// Whether a drive that comes now would outlive the end.
    closed: bool,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            begun: watch::Sender::new(false),
            hurried: watch::Sender::new(false),
            over: watch::Sender::new(false),
            tasks: Mutex::default(),
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
        // The sender lives as long as this does, so the wait cannot fail.
        let _ = self.begun.subscribe().wait_for(|begun| *begun).await;
    }

    /// Ends the grace period.
    pub(super) fn hurry(&self) {
        self.hurried.send_replace(true);
    }

    pub(super) async fn hurried(&self) {
        // As above.
        let _ = self.hurried.subscribe().wait_for(|hurried| *hurried).await;
    }

    /// Ends at once, as if the process had died.
    #[cfg(feature = "testing")]
    pub(crate) fn kill(&self) {
        self.over.send_replace(true);
        self.begin();
        self.close();
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every drive, and each that is yet to come: a claim or a publish that was under way may bring more.
    pub(super) fn close(&self) {
        let mut tasks = self.tasks();
        tasks.closed = true;
        tasks.drives.abort_all();
    }

    /// Returns when no drive is left, whenever it began.
    pub(super) async fn joined(&self) {
        std::future::poll_fn(|cx| {
            let mut tasks = self.tasks();
            while std::task::ready!(tasks.drives.poll_join_next(cx)).is_some() {}
            Poll::Ready(())
        })
        .await;
    }

    /// Returns when the worker has given back what it had.
    pub(super) async fn ended(&self) {
        // As above.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    /// Spawns the drive of a run on this runtime, and forgets those that have ended. A drive that comes too late is dropped, which
    /// leaves its run to the end of the session.
    pub(crate) fn spawn(&self, home: &Handle, drive: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        while tasks.drives.try_join_next().is_some() {}
        if !tasks.closed {
            tasks.drives.spawn_on(drive, home);
        }
    }
}
