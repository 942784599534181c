//! What a claim knows of runs before it takes them.

use crate::store::Timestamp;

/// The first waiting run of a function for one event type.
pub(super) struct Head {
    pub(super) function: i64,
    pub(super) event_type: i64,
    pub(super) due_at: Timestamp,
}

/// A run that may be taken, in the order of taking: by turn, then by time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) nth: usize,
    pub(super) due_at: i64,
    pub(super) number: i64,
    /// Of a function with lines, its place in the capacity, and the line.
    pub(super) in_line: Option<(usize, Option<usize>)>,
}

/// The earlier of two times, if there is one.
pub(super) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}
