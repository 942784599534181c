//! What became of what was published.

use std::sync::Arc;

use super::{Lease, Routed, Skipped};

/// What became of a published event.
///
/// ```
/// use belts::store::{PublishedEvent, PublishedRun};
/// let runs = vec![PublishedRun::new("r-1", "ship-order")];
/// assert!(!PublishedEvent::new("o-17", runs.clone()).duplicate);
/// assert!(PublishedEvent::duplicate("o-17", runs).duplicate);
/// assert!(PublishedEvent::conflict("o-17").conflict);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PublishedEvent {
    /// The event's id.
    pub event_id: Arc<str>,
    /// Whether the event was there before.
    pub duplicate: bool,
    /// Whether another event is there under this id: one of another digest. Then nothing was written, and no runs are named.
    pub conflict: bool,
    /// Its runs, sorted by function id: those just started, or those that a duplicate has.
    pub runs: Vec<PublishedRun>,
}

impl PublishedEvent {
    /// A new event and the runs that it started.
    pub fn new(event_id: impl Into<Arc<str>>, runs: Vec<PublishedRun>) -> Self {
        Self {
            event_id: event_id.into(),
            duplicate: false,
            conflict: false,
            runs,
        }
    }

    /// An event that was there before, and the runs that it has.
    pub fn duplicate(event_id: impl Into<Arc<str>>, runs: Vec<PublishedRun>) -> Self {
        Self {
            duplicate: true,
            ..Self::new(event_id, runs)
        }
    }

    /// An event under whose id another one is there.
    pub fn conflict(event_id: impl Into<Arc<str>>) -> Self {
        Self {
            conflict: true,
            ..Self::duplicate(event_id, Vec::new())
        }
    }
}

/// A run of a published event.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PublishedRun {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// The lease, if the run was claimed in the same write.
    pub lease: Option<Lease>,
    /// What flow options made of it, if it does not go on at once.
    pub routed: Option<Routed>,
}

impl PublishedRun {
    /// A run that waits for whoever claims it.
    pub fn new(run_id: impl Into<Arc<str>>, function_id: impl Into<Arc<str>>) -> Self {
        Self {
            run_id: run_id.into(),
            function_id: function_id.into(),
            lease: None,
            routed: None,
        }
    }

    /// Says that it was claimed in the same write.
    #[must_use]
    pub fn with_lease(mut self, lease: impl Into<Option<Lease>>) -> Self {
        self.lease = lease.into();
        self
    }

    /// Why it was skipped, if it was.
    pub fn skipped(&self) -> Option<&Skipped> {
        match &self.routed {
            Some(Routed::Skipped(skipped)) => Some(skipped),
            _ => None,
        }
    }

    /// Says what flow options made of it.
    #[must_use]
    pub fn with_routed(mut self, routed: impl Into<Option<Routed>>) -> Self {
        self.routed = routed.into();
        self
    }
}
