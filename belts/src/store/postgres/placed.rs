//! An event of a batch, and the request that it came with.

use crate::store::{NewEvent, Timestamp};

/// An event of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) event: &'a NewEvent,
    pub(super) ticket: i64,
    pub(super) now: Timestamp,
    /// Which of the requests it belongs to.
    pub(super) request: usize,
}

impl Placed<'_> {
    /// When a delayed event becomes visible.
    pub(super) fn visible_at(&self) -> Option<i64> {
        (self.event.due_at > self.now).then_some(self.event.due_at.as_millis())
    }
}
