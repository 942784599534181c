//! Runs that a store has ended since their time was over.

use std::sync::Arc;

use crate::clock::Timestamp;

/// What [`Store::expire`](crate::store::Store::expire) did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Expired {
    /// The runs whose time was over, without those that ended with them.
    pub runs: Vec<Arc<str>>,
    /// When the time of the next run is over, of those that are left.
    pub next: Option<Timestamp>,
    /// Whether there are more whose time is over.
    pub more: bool,
}

impl Expired {
    /// These runs have ended.
    pub fn new(runs: Vec<Arc<str>>) -> Self {
        Self {
            runs,
            ..Self::default()
        }
    }

    /// Says when the time of the next run is over; there are more if that is at `now`, or was before.
    #[must_use]
    pub fn with_next(mut self, next: Option<Timestamp>, now: Timestamp) -> Self {
        self.next = next;
        self.more = next.is_some_and(|next| next <= now);
        self
    }
}
