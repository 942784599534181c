//! Functions as inspection shows them, and what was removed of their runs.

use std::sync::Arc;

use crate::clock::Timestamp;

/// A function as inspection shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionRecord {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event types that start it at present, sorted; none if it was removed.
    pub event_types: Vec<Arc<str>>,
    /// Whether a living session has it.
    pub living: bool,
    /// How many of its runs have not finished, counted up to a limit.
    pub unfinished: usize,
    /// Since when it is [paused](crate::store::Store::pause); `None` if it is not.
    pub paused_at: Option<Timestamp>,
}

impl FunctionRecord {
    /// A function that nobody has, and that has nothing to do.
    pub fn new(function_id: impl Into<Arc<str>>) -> Self {
        Self {
            function_id: function_id.into(),
            event_types: Vec::new(),
            living: false,
            unfinished: 0,
            paused_at: None,
        }
    }

    /// Sets the event types that start it, sorted.
    #[must_use]
    pub fn with_event_types(mut self, event_types: Vec<Arc<str>>) -> Self {
        self.event_types = event_types;
        self
    }

    /// Says whether a living session has it.
    #[must_use]
    pub fn with_living(mut self, living: bool) -> Self {
        self.living = living;
        self
    }

    /// Sets how many of its runs have not finished.
    #[must_use]
    pub fn with_unfinished(mut self, unfinished: usize) -> Self {
        self.unfinished = unfinished;
        self
    }

    /// Sets since when it is paused.
    #[must_use]
    pub fn with_paused_at(mut self, paused_at: Option<Timestamp>) -> Self {
        self.paused_at = paused_at;
        self
    }
}

/// What [`Store::purge`](crate::store::Store::purge) or [`Store::forget`](crate::store::Store::forget) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Purged {
    /// How many runs went, or ended.
    pub runs: usize,
    /// How many events went that had started nothing.
    pub events: usize,
    /// Whether there is more to do.
    pub more: bool,
}

impl Purged {
    /// So many runs went, and nothing is left to do.
    pub fn new(runs: usize) -> Self {
        Self {
            runs,
            ..Self::default()
        }
    }

    /// Says how many events went.
    #[must_use]
    pub fn with_events(mut self, events: usize) -> Self {
        self.events = events;
        self
    }

    /// Says whether there is more to do.
    #[must_use]
    pub fn with_more(mut self, more: bool) -> Self {
        self.more = more;
        self
    }
}
