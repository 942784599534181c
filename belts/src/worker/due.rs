//! When the next run is due, as far as this worker knows.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

use crate::clock::Timestamp;

/// When the next run is due, as far as this worker knows.
#[derive(Debug)]
pub(crate) struct Due {
    /// Notified when a run may have become due.
    changed: Notify,
    /// The earliest run that this worker suspended or published, in milliseconds; `i64::MAX` for none.
    expected: AtomicI64,
    /// The same for what the last claim left behind, which may be due already.
    left: AtomicI64,
}

impl Default for Due {
    fn default() -> Self {
        Self {
            changed: Notify::new(),
            expected: AtomicI64::new(i64::MAX),
            left: AtomicI64::new(i64::MAX),
        }
    }
}

impl Due {
    /// Has the loop claim at this time, if not earlier.
    pub(crate) fn expect(&self, due_at: Timestamp) {
        let earlier = self
            .expected
            .fetch_min(due_at.as_millis(), Ordering::AcqRel);
        if due_at.as_millis() < earlier {
            self.notify();
        }
    }

    /// Has the loop claim now.
    pub(super) fn notify(&self) {
        self.changed.notify_one();
    }

    pub(super) async fn notified(&self) {
        self.changed.notified().await;
    }

    /// When the earliest run that was expected is due.
    pub(super) fn expected(&self) -> Timestamp {
        Timestamp::from_millis(self.expected.load(Ordering::Acquire))
    }

    /// Forgets what was expected: the claim that follows finds it.
    pub(super) fn begin_claim(&self) {
        self.expected.store(i64::MAX, Ordering::Release);
    }

    /// Notes when the earliest run is due that a claim left behind.
    pub(super) fn end_claim(&self, left: Option<Timestamp>) {
        let left = left.map_or(i64::MAX, Timestamp::as_millis);
        self.left.store(left, Ordering::Release);
    }

    /// The earliest of all.
    pub(super) fn oldest(&self) -> Timestamp {
        let left = Timestamp::from_millis(self.left.load(Ordering::Acquire));
        left.min(self.expected())
    }
}
