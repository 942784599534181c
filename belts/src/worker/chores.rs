//! When a delivery last did what a loop does beside it.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::clock::Timestamp;

/// What deliveries do now and then.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    /// They remove what finished long ago.
    pub(super) purge: Last,
    /// They look for runs whose time is over.
    pub(super) look: Last,
    /// Runs that were ended and whose parents could not be handed on.
    untold: Mutex<Vec<Arc<str>>>,
}

impl Chores {
    pub(super) fn take_untold(&self) -> Vec<Arc<str>> {
        mem::take(&mut *self.untold())
    }

    pub(super) fn keep_untold(&self, run_id: Arc<str>) {
        self.untold().push(run_id);
    }

    fn untold(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When one of them was last done, in milliseconds.
#[derive(Debug)]
pub(crate) struct Last(AtomicI64);

impl Default for Last {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Last {
    /// Whether it is time again; if so, nobody else is told the same.
    pub(super) fn is_over(&self, now: Timestamp, every: Duration) -> bool {
        let last = self.0.load(Ordering::Acquire);
        // Nor does a clock that was set back hold it up.
        let over = now.as_millis() < last || now.since(Timestamp::from_millis(last)) >= every;
        over && self
            .0
            .compare_exchange(last, now.as_millis(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    pub(super) fn go_on_at_once(&self) {
        self.0.store(i64::MIN, Ordering::Release);
    }
}
