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
        visible_at(self.event, self.now)
    }
}

/// When an event becomes visible, if it is delayed.
pub(super) fn visible_at(event: &NewEvent, now: Timestamp) -> Option<i64> {
    (event.due_at > now).then_some(event.due_at.as_millis())
}
