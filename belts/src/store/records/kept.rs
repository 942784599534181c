//! Values as a store keeps them, and others in their place: for whoever changes how they are written.

use std::sync::Arc;

/// An event as a store keeps it.
///
/// ```
/// use belts::store::StoredEvent;
/// let event = StoredEvent::new("o-17", "order-created", *br#"{"cents":1290}"#);
/// assert_eq!(event.correlation_key, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredEvent {
    /// Its id.
    pub id: Arc<str>,
    /// Its type.
    pub event_type: Arc<str>,
    /// What waits look for.
    pub correlation_key: Option<Arc<str>>,
    /// What it says.
    pub payload: Arc<[u8]>,
}

impl StoredEvent {
    /// An event without a correlation key.
    pub fn new(
        id: impl Into<Arc<str>>,
        event_type: impl Into<Arc<str>>,
        payload: impl Into<Arc<[u8]>>,
    ) -> Self {
        Self {
            id: id.into(),
            event_type: event_type.into(),
            correlation_key: None,
            payload: payload.into(),
        }
    }

    /// Sets what waits look for.
    #[must_use]
    pub fn with_correlation_key(mut self, key: impl Into<Option<Arc<str>>>) -> Self {
        self.correlation_key = key.into();
        self
    }
}

/// Some events of a store.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StoredEvents {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

impl StoredEvents {
    /// These events, which are the last.
    pub fn new(events: Vec<StoredEvent>) -> Self {
        Self { events, next: None }
    }

    /// Says where to go on.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<Option<String>>) -> Self {
        self.next = next.into();
        self
    }
}

/// A value to be put in the place of another; see [`Store::substitute`](crate::store::Store::substitute).
///
/// ```
/// use belts::store::{Substitute, ValueOf};
/// let output = Substitute::new(ValueOf::Result("r-1".into()), *b"plain", *b"sealed");
/// assert_eq!(&*output.to, b"sealed");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Substitute {
    /// Whose value it is.
    pub of: ValueOf,
    /// The value that must be there.
    pub from: Arc<[u8]>,
    /// The value that takes its place.
    pub to: Arc<[u8]>,
}

impl Substitute {
    /// Puts `to` where `from` is.
    pub fn new(of: ValueOf, from: impl Into<Arc<[u8]>>, to: impl Into<Arc<[u8]>>) -> Self {
        Self {
            of,
            from: from.into(),
            to: to.into(),
        }
    }
}

/// What a store keeps a value of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueOf {
    /// The event of this id: what it says.
    Event(Arc<str>),
    /// The run of this id: its output or its failure.
    Result(Arc<str>),
    /// An entry of a run's journal: its value.
    #[non_exhaustive]
    Entry {
        /// The run's id.
        run_id: Arc<str>,
        /// The entry's place.
        seq: u32,
    },
}

impl ValueOf {
    /// The entry of this `seq` in the journal of a run.
    pub fn entry(run_id: impl Into<Arc<str>>, seq: u32) -> Self {
        Self::Entry {
            run_id: run_id.into(),
            seq,
        }
    }
}
