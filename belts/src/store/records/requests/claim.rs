//! What a worker can take on, and what it gives back.

use std::sync::Arc;

use super::WorkerId;
use crate::{clock::Timestamp, store::Lease};

/// How much a worker can take on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Capacity {
    /// The session.
    pub worker: WorkerId,
    /// The most runs in all.
    pub limit: usize,
    /// The functions of the worker, each with the most runs of it. Others are left alone.
    pub functions: Arc<[FunctionCapacity]>,
}

impl Capacity {
    /// Room for so many runs in all, of these functions.
    pub fn new(
        worker: WorkerId,
        limit: usize,
        functions: impl Into<Arc<[FunctionCapacity]>>,
    ) -> Self {
        Self {
            worker,
            limit,
            functions: functions.into(),
        }
    }
}

/// How many runs of one function a worker can take on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionCapacity {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The most runs of it.
    pub limit: usize,
    /// The event types that the worker's code can read for it; runs of others are left to workers that can. `None` is any.
    pub event_types: Option<Arc<[Arc<str>]>>,
    /// How many runs of each pool may be driven at once over all workers, by the worker's code; a pool that is not named has no limit.
    /// `None` is a function whose code has neither such limits nor priorities.
    pub lanes: Option<Arc<[LaneLimit]>>,
}

impl FunctionCapacity {
    /// Room for so many runs of the function, of events of any type.
    pub fn new(function_id: impl Into<Arc<str>>, limit: usize) -> Self {
        Self {
            function_id: function_id.into(),
            limit,
            event_types: None,
            lanes: None,
        }
    }

    /// Names the event types that the worker's code can read for it.
    #[must_use]
    pub fn with_event_types<T: Into<Arc<str>>>(
        mut self,
        event_types: impl IntoIterator<Item = T>,
    ) -> Self {
        self.event_types = Some(event_types.into_iter().map(Into::into).collect());
        self
    }

    /// Names the limits of runs driven at once over all workers.
    #[must_use]
    pub fn with_lanes(mut self, lanes: impl Into<Option<Arc<[LaneLimit]>>>) -> Self {
        self.lanes = lanes.into();
        self
    }

    /// How many runs of a pool may be driven at once; `None` if it has no limit.
    pub fn most_of(&self, pool: &str) -> Option<u32> {
        let mut lanes = self.lanes.iter().flat_map(|lanes| lanes.iter());
        lanes
            .find(|lane| *lane.pool == *pool)
            .map(|lane| lane.limit)
    }

    /// Whether the worker can read events of this type for the function.
    pub fn reads(&self, event_type: &str) -> bool {
        let read = self.event_types.as_deref();
        read.is_none_or(|types| types.iter().any(|known| &**known == event_type))
    }
}

/// How many runs of a pool may be driven at once over all workers, for each key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneLimit {
    /// The pool, as in [`Lane::pool`](crate::store::Lane::pool).
    pub pool: Arc<str>,
    /// How many.
    pub limit: u32,
}

impl LaneLimit {
    /// So many of this pool.
    pub fn new(pool: impl Into<Arc<str>>, limit: u32) -> Self {
        Self {
            pool: pool.into(),
            limit,
        }
    }
}

/// Asks for due runs; see [`Store::claim`](crate::store::Store::claim).
///
/// ```
/// use belts::{Timestamp, store::{Capacity, Claim, FunctionCapacity, WorkerId}};
/// let capacity = Capacity::new(WorkerId(1), 10, [FunctionCapacity::new("ship-order", 4)]);
/// let claim = Claim::new(capacity, Timestamp::from_millis(0)).with_only("r-1");
/// assert_eq!(claim.max_bytes, usize::MAX);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Claim {
    /// Who asks, and for how much.
    pub capacity: Capacity,
    /// Only this run, due or not, unless it has finished or a live session, this one included, drives it.
    pub only: Option<Arc<str>>,
    /// The most bytes of events, journals and arrivals that the claim may bring, though one run at least, with the first arrival of
    /// each of its waits.
    pub max_bytes: usize,
    /// The current time.
    pub now: Timestamp,
}

impl Claim {
    /// Asks for whatever is due, of any size.
    pub fn new(capacity: Capacity, now: Timestamp) -> Self {
        Self {
            capacity,
            only: None,
            max_bytes: usize::MAX,
            now,
        }
    }

    /// Asks for this run only.
    #[must_use]
    pub fn with_only(mut self, run_id: impl Into<Arc<str>>) -> Self {
        self.only = Some(run_id.into());
        self
    }

    /// Sets the most bytes of events and journals.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }
}

/// Gives runs back; see [`Store::release`](crate::store::Store::release).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Release {
    /// The session.
    pub worker: WorkerId,
    /// The leases that it keeps.
    pub keep: Vec<Lease>,
    /// The current time.
    pub now: Timestamp,
}

impl Release {
    /// Gives back every run of the session.
    pub fn new(worker: WorkerId, now: Timestamp) -> Self {
        Self {
            worker,
            keep: Vec::new(),
            now,
        }
    }

    /// Names the leases that it keeps.
    #[must_use]
    pub fn with_keep(mut self, keep: Vec<Lease>) -> Self {
        self.keep = keep;
        self
    }
}
