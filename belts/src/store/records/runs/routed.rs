//! What flow options have made of a run.

use std::sync::Arc;

use crate::clock::Timestamp;

/// How far flow options have been applied to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Routing {
    /// Nobody has applied them, or there are none.
    #[default]
    Not,
    /// It has waited, or collected events; what spreads starts is still to be asked.
    Held,
    /// They have all been applied.
    Done,
}

/// What flow options have made of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Routed {
    /// The lease does not hold; nothing was written.
    LeaseLost,
    /// It goes on at once.
    Starts,
    /// It waits, and the lease has ended.
    #[non_exhaustive]
    Waits {
        /// Until when; `None` until another run has ended.
        until: Option<Timestamp>,
    },
    /// It was skipped: it has ended as cancelled, with the reason on record.
    Skipped(Skipped),
    /// Its event is now one of another run, and it is gone.
    #[non_exhaustive]
    Joined {
        /// That run.
        run_id: Arc<str>,
    },
}

impl Routed {
    /// It waits until this time, or until another run has ended.
    pub fn waits(until: Option<Timestamp>) -> Self {
        Self::Waits { until }
    }

    /// Its event is one of this run.
    pub fn joined(run_id: impl Into<Arc<str>>) -> Self {
        Self::Joined {
            run_id: run_id.into(),
        }
    }
}

/// Why a run was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The option that skipped it.
    pub by: SkippedBy,
    /// The run that is there in its place, where there is one.
    pub run_id: Option<Arc<str>>,
}

impl Skipped {
    /// Skipped by this option.
    pub fn new(by: SkippedBy) -> Self {
        Self { by, run_id: None }
    }

    /// Names the run that is there in its place.
    #[must_use]
    pub fn with_run(mut self, run_id: impl Into<Option<Arc<str>>>) -> Self {
        self.run_id = run_id.into();
        self
    }
}

/// An option that skips events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkippedBy {
    /// `idempotent`.
    Idempotent,
    /// `rate_limit`.
    RateLimit,
    /// `singleton`.
    Singleton,
}

impl SkippedBy {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Idempotent, Self::RateLimit, Self::Singleton];

    /// The name of the option.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idempotent => "idempotent",
            Self::RateLimit => "rate_limit",
            Self::Singleton => "singleton",
        }
    }

    /// The option of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }
}
