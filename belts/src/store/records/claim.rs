//! What a worker can take on, what a claim brings it, and the right to drive it.

use std::sync::Arc;

use super::{Entry, WorkerId};
use crate::clock::Timestamp;

/// How much a worker can take on.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// The session.
    pub worker: WorkerId,
    /// The most runs in all.
    pub limit: usize,
    /// The functions of the worker, each with the most runs of it. Others are left alone.
    pub functions: Arc<[FunctionCapacity]>,
}

/// How many runs of one function a worker can take on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCapacity {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The most runs of it.
    pub limit: usize,
    /// The event types that the worker's code can read for it; runs of others are left to workers that can. `None` is any.
    pub event_types: Option<Arc<[Arc<str>]>>,
}

impl FunctionCapacity {
    /// Whether the worker can read events of this type for the function.
    pub fn reads(&self, event_type: &str) -> bool {
        let read = self.event_types.as_deref();
        read.is_none_or(|types| types.iter().any(|known| &**known == event_type))
    }
}

/// Asks for due runs; see [`Store::claim`](crate::store::Store::claim).
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who asks, and for how much.
    pub capacity: Capacity,
    /// Only this run, due or not, unless it has finished or a live session, this one included, drives it.
    pub only: Option<Arc<str>>,
    /// The most bytes of events and journals that the claim may bring, though one run at least.
    pub max_bytes: usize,
    /// The current time.
    pub now: Timestamp,
}

/// What a claim brought.
#[derive(Debug, Clone, Default)]
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

/// An event type that a worker cannot read for one of its functions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownType {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event type.
    pub event_type: Arc<str>,
}

/// A run whose row or journal could not be read; see the [contract](crate::store::Store#contract).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// What could not be read, and why.
    pub reason: Arc<str>,
}

/// A leased run with all that is needed to drive it.
#[derive(Debug, Clone)]
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
    /// The event's [`traceparent`](super::NewEvent::traceparent).
    pub traceparent: Option<Arc<str>>,
    /// When the run first started; this claim's time if it is the first.
    pub started_at: Timestamp,
    /// How many times in a row a worker died with this run in hand and nothing of it was recorded in between.
    pub crashes: u32,
    /// The recorded steps, in the order of `seq`.
    pub journal: Vec<Entry>,
}

/// A fenced right to drive one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The run in the store's own numbering.
    pub run: i64,
    /// The session that holds it.
    pub worker: WorkerId,
    /// Grows with each claim of the run, by an amount that cannot be foreseen.
    pub token: i64,
}

/// Gives runs back; see [`Store::release`](crate::store::Store::release).
#[derive(Debug, Clone)]
pub struct Release {
    /// The session.
    pub worker: WorkerId,
    /// The leases that it keeps.
    pub keep: Vec<Lease>,
    /// The current time.
    pub now: Timestamp,
}
