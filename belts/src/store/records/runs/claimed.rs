//! What a claim brings a worker: runs, and the right to drive them.

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    store::{Arrival, Entry, Parent, Routing, Undoing, WorkerId},
};

/// What a claim brought.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Claimed {
    /// The runs, now leased.
    pub runs: Vec<ClaimedRun>,
    /// When the next run of the named functions that was not claimed is due; it may lie in the past.
    pub next_due: Option<Timestamp>,
    /// Functions with due runs that the claim did not name (a few of them), so that the worker can warn about them.
    pub unknown_functions: Vec<Arc<str>>,
    /// Event types of due runs that the worker cannot read for a function that it has (a few of them).
    pub unknown_types: Vec<UnknownType>,
    /// Runs that the store could not read, and has set aside so that they stop nobody.
    pub set_aside: Vec<SetAside>,
}

impl Claimed {
    /// These runs, and nothing else to tell.
    pub fn new(runs: Vec<ClaimedRun>) -> Self {
        Self {
            runs,
            ..Self::default()
        }
    }

    /// Says when the next run is due.
    #[must_use]
    pub fn with_next_due(mut self, next_due: impl Into<Option<Timestamp>>) -> Self {
        self.next_due = next_due.into();
        self
    }

    /// Names functions with due runs that the claim did not name.
    #[must_use]
    pub fn with_unknown_functions(mut self, functions: Vec<Arc<str>>) -> Self {
        self.unknown_functions = functions;
        self
    }

    /// Names event types that the worker cannot read.
    #[must_use]
    pub fn with_unknown_types(mut self, types: Vec<UnknownType>) -> Self {
        self.unknown_types = types;
        self
    }

    /// Names runs that could not be read.
    #[must_use]
    pub fn with_set_aside(mut self, set_aside: Vec<SetAside>) -> Self {
        self.set_aside = set_aside;
        self
    }
}

/// An event type that a worker cannot read for one of its functions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UnknownType {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event type.
    pub event_type: Arc<str>,
}

impl UnknownType {
    /// This type of this function.
    pub fn new(function_id: impl Into<Arc<str>>, event_type: impl Into<Arc<str>>) -> Self {
        Self {
            function_id: function_id.into(),
            event_type: event_type.into(),
        }
    }
}

/// A run whose row or journal could not be read; see the [contract](crate::store::Store#contract).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetAside {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// What could not be read, and why.
    pub reason: Arc<str>,
}

impl SetAside {
    /// A run that could not be read for this reason.
    pub fn new(
        run_id: impl Into<Arc<str>>,
        function_id: impl Into<Arc<str>>,
        reason: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            run_id: run_id.into(),
            function_id: function_id.into(),
            reason: reason.into(),
        }
    }
}

/// A leased run with all that is needed to drive it.
///
/// ```
/// use belts::{Timestamp, store::{ClaimedRun, Lease, WorkerId}};
/// let event = ("o-17".into(), "order-created".into(), (*b"{}").into());
/// let lease = Lease::new(7, WorkerId(1), 4711);
/// let run = ClaimedRun::new(lease, "r-1".into(), "ship-order".into(), event, Timestamp::from_millis(0))
///     .with_failed_attempts(1);
/// assert!(run.journal.is_empty());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClaimedRun {
    /// The lease.
    pub lease: Lease,
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event's id.
    pub event_id: Arc<str>,
    /// The event's type.
    pub event_type: Arc<str>,
    /// The event as JSON, without its `type`.
    pub payload: Arc<[u8]>,
    /// Failed attempts of the run so far.
    pub failed_attempts: u32,
    /// Retries that the publisher asked for.
    pub retries: Option<u32>,
    /// The event's [`traceparent`](crate::store::NewEvent::traceparent).
    pub traceparent: Option<Arc<str>>,
    /// When the run first started; this claim's time if it is the first.
    pub started_at: Timestamp,
    /// How many times in a row a worker died with this run in hand and nothing of it was recorded in between.
    pub crashes: u32,
    /// The run that started it, if one did.
    pub parent: Option<Parent>,
    /// How many times it was rerun [from](crate::store::Rerun::from) a step.
    pub generation: u32,
    /// How far flow options have been applied to it.
    pub routing: Routing,
    /// How it ends once what its steps did is undone, if that is all that is left to do.
    pub undoing: Option<Undoing>,
    /// The recorded steps, in the order of `seq`.
    pub journal: Vec<Entry>,
    /// What has arrived for its open waits, by `seq`, then by place.
    pub arrivals: Vec<Arrival>,
}

impl ClaimedRun {
    /// A run that has recorded nothing. The event is its id, its type, and what it says.
    pub fn new(
        lease: Lease,
        run_id: Arc<str>,
        function_id: Arc<str>,
        event: (Arc<str>, Arc<str>, Arc<[u8]>),
        started_at: Timestamp,
    ) -> Self {
        let (event_id, event_type, payload) = event;
        Self {
            lease,
            run_id,
            function_id,
            event_id,
            event_type,
            payload,
            failed_attempts: 0,
            retries: None,
            traceparent: None,
            started_at,
            crashes: 0,
            parent: None,
            generation: 0,
            routing: Routing::Not,
            undoing: None,
            journal: Vec::new(),
            arrivals: Vec::new(),
        }
    }

    /// Sets how many attempts have failed.
    #[must_use]
    pub fn with_failed_attempts(mut self, failed_attempts: u32) -> Self {
        self.failed_attempts = failed_attempts;
        self
    }

    /// Sets the retries that the publisher asked for.
    #[must_use]
    pub fn with_retries(mut self, retries: impl Into<Option<u32>>) -> Self {
        self.retries = retries.into();
        self
    }

    /// Sets the span that its event was published in.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<Arc<str>>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// Sets the run that started it.
    #[must_use]
    pub fn with_parent(mut self, parent: impl Into<Option<Parent>>) -> Self {
        self.parent = parent.into();
        self
    }

    /// Sets how many times it was rerun from a step.
    #[must_use]
    pub fn with_generation(mut self, generation: u32) -> Self {
        self.generation = generation;
        self
    }

    /// Sets how far flow options have been applied.
    #[must_use]
    pub fn with_routing(mut self, routing: Routing) -> Self {
        self.routing = routing;
        self
    }

    /// Sets how it ends once it is undone.
    #[must_use]
    pub fn with_undoing(mut self, undoing: impl Into<Option<Undoing>>) -> Self {
        self.undoing = undoing.into();
        self
    }

    /// Sets how many times in a row a worker died with it.
    #[must_use]
    pub fn with_crashes(mut self, crashes: u32) -> Self {
        self.crashes = crashes;
        self
    }

    /// Sets its recorded steps.
    #[must_use]
    pub fn with_journal(mut self, journal: Vec<Entry>) -> Self {
        self.journal = journal;
        self
    }

    /// Sets what has arrived for its open waits.
    #[must_use]
    pub fn with_arrivals(mut self, arrivals: Vec<Arrival>) -> Self {
        self.arrivals = arrivals;
        self
    }
}

/// A fenced right to drive one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Lease {
    /// The run in the store's own numbering.
    pub run: i64,
    /// The session that holds it.
    pub worker: WorkerId,
    /// Grows with each claim of the run, by an amount that cannot be foreseen.
    pub token: i64,
}

impl Lease {
    /// The right of a session to drive a run.
    pub fn new(run: i64, worker: WorkerId, token: i64) -> Self {
        Self { run, worker, token }
    }
}
