//! How many loops of a worker run, and on which runtimes.

use std::{
    future::Future,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::runtime::Handle;

/// How many loops of a worker run, and on which runtimes.
#[derive(Debug, Default)]
pub(crate) struct Loops {
    /// How many loops run or are about to, so that published runs may be claimed at once.
    count: AtomicUsize,
    /// Where the loops run, and the tasks that outlive the call that started them.
    homes: Mutex<Vec<Handle>>,
}

impl Loops {
    pub(super) fn begin(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end(&self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn is_any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// The runtime of a loop, or else the one that this is called on, if any.
    pub(super) fn home(&self) -> Option<Handle> {
        let home = self.homes().last().cloned();
        home.or_else(|| Handle::try_current().ok())
    }

    /// Notes that a loop runs on this runtime.
    pub(super) fn settle(&self, home: Handle) {
        self.homes().push(home);
    }

    /// Notes that a loop on this runtime has ended.
    pub(super) fn leave(&self, home: &Handle) {
        let mut homes = self.homes();
        if let Some(place) = homes.iter().position(|other| other.id() == home.id()) {
            homes.remove(place);
        }
    }

    /// Spawns a task there. Without any runtime the process is about to end.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(home) = self.home() {
            home.spawn(task);
        }
    }

    fn homes(&self) -> MutexGuard<'_, Vec<Handle>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
