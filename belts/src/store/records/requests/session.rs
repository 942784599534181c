//! What a store promises, and how a worker's session begins.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::Limits;
use crate::clock::Timestamp;

/// What a store can promise. A store never pretends: what it cannot do is `false` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a promise of its own"
)]
pub struct Capabilities {
    /// What was written survives the end of the process.
    pub durable: bool,
    /// Several processes may work on it at once.
    pub shared: bool,
    /// The end of another worker's process is noticed before its lease ends.
    pub notices_dead_workers: bool,
    /// Runs may wait for events: see [`Entry::wait`](crate::store::Entry::wait).
    pub waits: bool,
    /// Runs keep tags, and are found by them: see [`Commit::tags`](crate::store::Commit::tags).
    pub tags: bool,
    /// It keeps schedules: see [`ScheduleRow`](crate::store::ScheduleRow).
    pub schedules: bool,
    /// It applies flow options: see [`Flow`](crate::store::Flow).
    pub flow: bool,
    /// It counts the runs that are driven at once over all workers, and moves runs up: see [`Flow::lanes`](crate::store::Flow::lanes)
    /// and [`Flow::priority`](crate::store::Flow::priority).
    pub lanes: bool,
}

impl Capabilities {
    /// A store that promises nothing beyond this process.
    pub const NONE: Self = Self {
        durable: false,
        shared: false,
        notices_dead_workers: false,
        waits: false,
        tags: false,
        schedules: false,
        flow: false,
        lanes: false,
    };

    /// Says that writes survive the end of the process.
    #[must_use]
    pub const fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Says that several processes may work on it at once.
    #[must_use]
    pub const fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Says that the end of a process is noticed before its lease ends.
    #[must_use]
    pub const fn notices_dead_workers(mut self) -> Self {
        self.notices_dead_workers = true;
        self
    }

    /// Says that runs may wait for events.
    #[must_use]
    pub const fn waits(mut self) -> Self {
        self.waits = true;
        self
    }

    /// Says that runs keep tags.
    #[must_use]
    pub const fn tags(mut self) -> Self {
        self.tags = true;
        self
    }

    /// Says that it keeps schedules.
    #[must_use]
    pub const fn schedules(mut self) -> Self {
        self.schedules = true;
        self
    }

    /// Says that it applies flow options.
    #[must_use]
    pub const fn flow(mut self) -> Self {
        self.flow = true;
        self
    }

    /// Says that it counts the runs that are driven at once over all workers, and moves runs up.
    #[must_use]
    pub const fn lanes(mut self) -> Self {
        self.lanes = true;
        self
    }
}

/// A worker's session in a store, numbered by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkerId(pub i64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker-{}", self.0)
    }
}

/// Begins a session; see [`Store::register`](crate::store::Store::register).
///
/// ```
/// use belts::{Timestamp, store::{Register, Subscription}};
/// use std::time::Duration;
/// let register = Register::new(Timestamp::from_millis(0), Duration::from_secs(30))
///     .with_name("worker of host 3")
///     .with_subscriptions(vec![Subscription::new("ship-order", ["order-created"])]);
/// assert_eq!(&*register.subscriptions[0].event_types[0], "order-created");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Register {
    /// A name that outlives the process, so that a restarted worker takes its own runs back at once.
    pub name: Option<Arc<str>>,
    /// The functions of this worker with the event types that they listen for.
    pub subscriptions: Vec<Subscription>,
    /// The functions of this worker that may wait for events, with the types of these.
    pub awaits: Vec<Awaits>,
    /// The functions of this worker whose runs have limits of time.
    pub limits: Vec<Limits>,
    /// The functions of this worker whose cancelled runs are handed to a worker once more before they end: it starts what handles
    /// their cancels.
    pub cancel_handled: Vec<Arc<str>>,
    /// What the build of the worker's program is called, which the runs keep that it is the first to lease.
    pub build: Option<Arc<str>>,
    /// The current time.
    pub now: Timestamp,
    /// How long the session lives without `renew`.
    pub lease: Duration,
}

impl Register {
    /// A session without a name that wants nothing.
    pub fn new(now: Timestamp, lease: Duration) -> Self {
        Self {
            name: None,
            subscriptions: Vec::new(),
            awaits: Vec::new(),
            limits: Vec::new(),
            cancel_handled: Vec::new(),
            build: None,
            now,
            lease,
        }
    }

    /// Sets the name that outlives the process.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets what the session wants to be started for.
    #[must_use]
    pub fn with_subscriptions(mut self, subscriptions: Vec<Subscription>) -> Self {
        self.subscriptions = subscriptions;
        self
    }

    /// Every function that the session has: one that only waits for events listens for nothing.
    pub(crate) fn wanted(&self) -> Vec<Subscription> {
        let mut all = self.subscriptions.clone();
        for Awaits { function_id, .. } in &self.awaits {
            if !all.iter().any(|wanted| wanted.function_id == *function_id) {
                all.push(Subscription {
                    function_id: Arc::clone(function_id),
                    event_types: Vec::new(),
                });
            }
        }
        all
    }

    /// Sets what runs of the session's functions may wait for.
    #[must_use]
    pub fn with_awaits(mut self, awaits: Vec<Awaits>) -> Self {
        self.awaits = awaits;
        self
    }

    /// Sets how much time runs of the session's functions have.
    #[must_use]
    pub fn with_limits(mut self, limits: Vec<Limits>) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the functions whose cancelled runs are handed to a worker once more before they end.
    #[must_use]
    pub fn with_cancel_handled(mut self, functions: Vec<Arc<str>>) -> Self {
        self.cancel_handled = functions;
        self
    }

    /// Sets what the build of the worker's program is called.
    #[must_use]
    pub fn with_build(mut self, build: impl Into<Option<Arc<str>>>) -> Self {
        self.build = build.into();
        self
    }

    /// Whether cancels of this function's runs are handled.
    pub(crate) fn handles_cancels_of(&self, function_id: &str) -> bool {
        let mut functions = self.cancel_handled.iter();
        functions.any(|handled| **handled == *function_id)
    }

    /// The limits of a function of the session, if it has any.
    pub fn limits_of(&self, function_id: &str) -> Option<&Limits> {
        let mut limits = self.limits.iter().filter(|limits| limits.is_some());
        limits.find(|limits| *limits.function_id == *function_id)
    }
}

/// A function and the event types that it listens for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Subscription {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event types.
    pub event_types: Vec<Arc<str>>,
}

impl Subscription {
    /// A function that listens for these event types.
    pub fn new<T: Into<Arc<str>>>(
        function_id: impl Into<Arc<str>>,
        event_types: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            function_id: function_id.into(),
            event_types: event_types.into_iter().map(Into::into).collect(),
        }
    }
}

/// A function and the event types that its runs may wait for.
///
/// ```
/// use belts::{Timestamp, store::{Awaits, Register}};
/// let register = Register::new(Timestamp::from_millis(0), std::time::Duration::from_secs(30))
///     .with_awaits(vec![Awaits::new("ship-order", ["order-paid"])]);
/// assert_eq!(&*register.awaits[0].function_id, "ship-order");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Awaits {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event types.
    pub event_types: Vec<Arc<str>>,
}

impl Awaits {
    /// A function whose runs may wait for events of these types.
    pub fn new<T: Into<Arc<str>>>(
        function_id: impl Into<Arc<str>>,
        event_types: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            function_id: function_id.into(),
            event_types: event_types.into_iter().map(Into::into).collect(),
        }
    }
}
