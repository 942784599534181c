//! When a delivery last removed what finished long ago.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use crate::clock::Timestamp;

/// When a delivery last purged, in milliseconds.
#[derive(Debug)]
pub(crate) struct LastPurge(AtomicI64);

impl Default for LastPurge {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl LastPurge {
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
