//! What the task and the thread that renew a session share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::{Notify, watch};

use crate::live::Looks;

/// What the task and the thread share.
#[derive(Debug)]
pub(super) struct Pulse {
    /// The thread asks the task whether it gets its turns; and others, whether there is something to give back.
    pub(super) ask: Notify,
    pub(super) answered: AtomicBool,
    /// The number of the task that renews, and whether it is there.
    task: AtomicU64,
    pub(super) alive: AtomicBool,
    pub(super) looks: Arc<Looks>,
    pub(super) stop: watch::Sender<bool>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            ask: Notify::new(),
            answered: AtomicBool::new(true),
            task: AtomicU64::new(0),
            alive: AtomicBool::new(false),
            looks: Arc::default(),
            stop: watch::Sender::new(false),
        }
    }
}

impl Pulse {
    /// Ends the thread and the task.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
        self.ask.notify_one();
    }

    /// Has the task look at once whether there is something to give back.
    pub(super) fn ask(&self) {
        self.ask.notify_one();
    }

    /// Begins to be the task that renews, in place of any before.
    pub(super) fn begin(self: &Arc<Self>) -> Role {
        let number = self.task.fetch_add(1, Ordering::AcqRel) + 1;
        self.alive.store(true, Ordering::Release);
        self.ask.notify_waiters();
        Role {
            pulse: Arc::clone(self),
            number,
        }
    }

    /// Whether the task has not answered since the last call; asks again.
    pub(super) fn is_silent(&self) -> bool {
        let answered = self.answered.swap(false, Ordering::AcqRel);
        self.ask.notify_one();
        !answered
    }
}

/// The task that renews, until this is dropped.
pub(super) struct Role {
    pub(super) pulse: Arc<Pulse>,
    number: u64,
}

impl Role {
    pub(super) fn is_mine(&self) -> bool {
        self.pulse.task.load(Ordering::Acquire) == self.number
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if self.is_mine() {
            self.pulse.alive.store(false, Ordering::Release);
        }
    }
}
