//! What a store promises, and how a worker's session begins.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What a store can promise. A store never pretends: what it cannot do is `false` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// What was written survives the end of the process.
    pub durable: bool,
    /// Several processes may work on it at once.
    pub shared: bool,
    /// The end of another worker's process is noticed before its lease ends.
    pub notices_dead_workers: bool,
}

impl Capabilities {
    /// A store that promises nothing beyond this process.
    pub const NONE: Self = Self {
        durable: false,
        shared: false,
        notices_dead_workers: false,
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
