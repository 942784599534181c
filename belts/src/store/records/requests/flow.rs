//! What the flow options of a function make of an event: which of its runs start, when, and which never do.

use std::{sync::Arc, time::Duration};

use crate::{clock::Timestamp, store::Lease};

/// What the flow options of one function make of one event. A function without such options has none.
///
/// ```
/// use belts::store::{Flow, Rate};
/// use std::time::Duration;
/// let flow = Flow::new().with_throttle(Rate::new("acme", 60, Duration::from_secs(60)).with_burst(10));
/// assert!(flow.starts_by_turns() && flow.rate_limit.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flow {
    /// The limits of runs driven at once that its run counts for: two at most.
    pub lanes: Vec<Lane>,
    /// How many seconds earlier it stands in the queue, from −600 to 600.
    pub priority: i32,
    /// At which rate runs start; the rest waits for its turn.
    pub throttle: Option<Rate>,
    /// At which rate runs are made; the rest is skipped.
    pub rate_limit: Option<Rate>,
    /// One run for events that follow each other, with the last of them.
    pub debounce: Option<Debounce>,
    /// One run for several events.
    pub batch: Option<Batch>,
    /// One live run at a time.
    pub singleton: Option<Singleton>,
    /// One run for each key.
    pub idempotent: Option<Once>,
}

impl Flow {
    /// The furthest that a priority moves a run.
    pub const MOST_PRIORITY: i32 = 600;

    /// A run that starts as it is published.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a limit of runs driven at once.
    #[must_use]
    pub fn with_lane(mut self, lane: Lane) -> Self {
        self.lanes.push(lane);
        self
    }

    /// Sets how many seconds earlier it stands in the queue; what is further than 600 counts as 600.
    #[must_use]
    pub fn with_priority(mut self, seconds: i32) -> Self {
        self.priority = seconds.clamp(-Self::MOST_PRIORITY, Self::MOST_PRIORITY);
        self
    }

    /// Sets at which rate runs start.
    #[must_use]
    pub fn with_throttle(mut self, rate: impl Into<Option<Rate>>) -> Self {
        self.throttle = rate.into();
        self
    }

    /// Sets at which rate runs are made.
    #[must_use]
    pub fn with_rate_limit(mut self, rate: impl Into<Option<Rate>>) -> Self {
        self.rate_limit = rate.into();
        self
    }

    /// Lets events that follow each other share a run, with the last of them.
    #[must_use]
    pub fn with_debounce(mut self, debounce: impl Into<Option<Debounce>>) -> Self {
        self.debounce = debounce.into();
        self
    }

    /// Lets several events share a run.
    #[must_use]
    pub fn with_batch(mut self, batch: impl Into<Option<Batch>>) -> Self {
        self.batch = batch.into();
        self
    }

    /// Allows one live run at a time.
    #[must_use]
    pub fn with_singleton(mut self, singleton: impl Into<Option<Singleton>>) -> Self {
        self.singleton = singleton.into();
        self
    }

    /// Allows one run for each key.
    #[must_use]
    pub fn with_idempotent(mut self, once: impl Into<Option<Once>>) -> Self {
        self.idempotent = once.into();
        self
    }

    /// What concerns a run that began before its function had these options.
    pub(crate) fn of_a_begun_run(self) -> Self {
        Self {
            lanes: self.lanes,
            priority: self.priority,
            ..Self::default()
        }
    }

    /// Whether its run stands in a line of its own: it counts for a limit, or is moved up or down.
    pub fn stands_in_line(&self) -> bool {
        !self.lanes.is_empty() || self.priority != 0
    }

    /// How much earlier it stands in the queue, in milliseconds.
    pub(crate) fn shift_millis(&self) -> i64 {
        1_000 * i64::from(self.priority)
    }

    /// Whether a run that waited, or has collected events, asks once more before it starts.
    pub fn starts_by_turns(&self) -> bool {
        self.throttle.is_some() || !self.lanes.is_empty()
    }
}

/// A limit of runs driven at once: a pool with a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Lane {
    /// What is counted: the function's id, with `:` and what the key is called where there is a key; or `shared:` and the name that
    /// functions share.
    pub pool: Arc<str>,
    /// The key; empty where the option has none.
    pub key: Arc<str>,
    /// How many runs at once.
    pub limit: u32,
}

impl Lane {
    /// So many runs at once of this pool and key.
    pub fn new(pool: impl Into<Arc<str>>, key: impl Into<Arc<str>>, limit: u32) -> Self {
        Self {
            pool: pool.into(),
            key: key.into(),
            limit,
        }
    }
}

/// A rate: so many in a time, evenly, with a number that may come at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rate {
    /// The key; empty where the option has none.
    pub key: Arc<str>,
    /// How many in the time; at least 1.
    pub limit: u32,
    /// The time.
    pub per: Duration,
    /// How many at once; at least 1.
    pub burst: u32,
}

impl Rate {
    /// So many in a time, one after the other.
    pub fn new(key: impl Into<Arc<str>>, limit: u32, per: Duration) -> Self {
        Self {
            key: key.into(),
            limit: limit.max(1),
            per,
            burst: 1,
        }
    }

    /// Sets how many may come at once.
    #[must_use]
    pub fn with_burst(mut self, burst: u32) -> Self {
        self.burst = burst.max(1);
        self
    }

    /// The time between two of them, in microseconds.
    pub fn interval_micros(&self) -> i64 {
        let per = i64::try_from(self.per.as_micros()).unwrap_or(i64::MAX / 2);
        (per / i64::from(self.limit)).max(1)
    }

    /// How far ahead of its time one may come, in microseconds.
    pub fn ahead_micros(&self) -> i64 {
        self.interval_micros()
            .saturating_mul(i64::from(self.burst.saturating_sub(1)))
    }
}

/// One run with the last event, a while after it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Debounce {
    /// The key; empty where the option has none.
    pub key: Arc<str>,
    /// How long after the last event.
    pub period: Duration,
    /// How long after the first event at the latest.
    pub max: Option<Duration>,
}

impl Debounce {
    /// One run, this long after the last event.
    pub fn new(key: impl Into<Arc<str>>, period: Duration) -> Self {
        Self {
            key: key.into(),
            period,
            max: None,
        }
    }

    /// Sets how long after the first event at the latest.
    #[must_use]
    pub fn with_max(mut self, max: impl Into<Option<Duration>>) -> Self {
        self.max = max.into();
        self
    }
}

/// One run for several events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The key; empty where the option has none.
    pub key: Arc<str>,
    /// How many events at most; at least 1.
    pub size: u32,
    /// How long after the first event at the latest.
    pub within: Duration,
}

impl Batch {
    /// At most so many events, this long after the first at the latest.
    pub fn new(key: impl Into<Arc<str>>, size: u32, within: Duration) -> Self {
        Self {
            key: key.into(),
            size: size.max(1),
            within,
        }
    }
}

/// One live run at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Singleton {
    /// The key; empty where the option has none.
    pub key: Arc<str>,
    /// What becomes of an event while one is live.
    pub then: Then,
}

impl Singleton {
    /// One live run; then what becomes of an event while there is one.
    pub fn new(key: impl Into<Arc<str>>, then: Then) -> Self {
        Self {
            key: key.into(),
            then,
        }
    }
}

/// What becomes of an event while a run of its key is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// It is skipped.
    Skip,
    /// The live run is cancelled, and its run takes the place.
    Replace,
    /// Its run waits until those before it have ended.
    Queue,
}

/// One run for each key from the first publish on, whatever becomes of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Once {
    /// The key.
    pub key: Arc<str>,
    /// How long the key is taken.
    pub within: Duration,
}

impl Once {
    /// One run of this key for so long.
    pub fn new(key: impl Into<Arc<str>>, within: Duration) -> Self {
        Self {
            key: key.into(),
            within,
        }
    }
}

/// Says what the flow options make of a run that was claimed; see [`Store::route`](crate::store::Store::route).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Route {
    /// The right to write.
    pub lease: Lease,
    /// The id of its function.
    pub function_id: Arc<str>,
    /// What the options make of its event.
    pub flow: Flow,
    /// The current time.
    pub now: Timestamp,
}

impl Route {
    /// What the options make of the run of this lease.
    pub fn new(lease: Lease, function_id: impl Into<Arc<str>>, flow: Flow, now: Timestamp) -> Self {
        Self {
            lease,
            function_id: function_id.into(),
            flow,
            now,
        }
    }
}
