//! When a delivery last did what a loop does beside it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
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
        let over = now.since(Timestamp::from_millis(last)) >= every;
        over && self
            .0
            .compare_exchange(last, now.as_millis(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    pub(super) fn go_on_at_once(&self) {
        self.0.store(i64::MIN, Ordering::Release);
    }
}
