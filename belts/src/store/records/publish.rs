//! What is published, and what becomes of it.

use std::{fmt, sync::Arc};

use super::{Capacity, Lease};
use crate::clock::Timestamp;

/// Publishes events; see [`Store::publish`](crate::store::Store::publish).
#[derive(Debug, Clone)]
pub struct Publish {
    /// The events.
    pub events: Vec<NewEvent>,
    /// Where given, new runs that are due are leased at once within this capacity.
    pub claim: Option<Capacity>,
    /// The current time.
    pub now: Timestamp,
}

/// An event to be published.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The id; publishing the same id again writes nothing.
    pub id: Arc<str>,
    /// The type.
    pub event_type: Arc<str>,
    /// The JSON object without its `type`.
    pub payload: Arc<[u8]>,
    /// What tells another event under the same id from the same one that was sent twice.
    pub digest: EventDigest,
    /// What later waits for this event will look for.
    pub correlation_key: Option<Arc<str>>,
    /// When its runs become due: now, or later for a delayed event.
    pub due_at: Timestamp,
    /// Retries of its runs, in place of what the function says.
    pub retries: Option<u32>,
    /// The span that it was published in, by W3C Trace Context. It is kept for the runs as it is.
    pub traceparent: Option<Arc<str>>,
    /// Which functions it starts.
    pub target: Target,
}

/// A digest of an event's type and payload: the first half of a SHA-256 over them.
///
/// The order of the fields of an object makes no difference, since not every JSON library keeps it.
///
/// ```
/// use belts::store::EventDigest;
/// let one = EventDigest::of("order-created", br#"{"id":"o-17","cents":1290}"#);
/// assert_eq!(one, EventDigest::of("order-created", br#"{"cents":1290,"id":"o-17"}"#));
/// assert_ne!(one, EventDigest::of("order-created", br#"{"cents":1291,"id":"o-17"}"#));
/// assert_ne!(one, EventDigest::of("order-changed", br#"{"id":"o-17","cents":1290}"#));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventDigest(pub [u8; 16]);

impl fmt::Debug for EventDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Which functions an event starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Those that subscribe to its type, but for the ones listed here, whose filter said no.
    Subscribers {
        /// Functions to leave out.
        except: Vec<Arc<str>>,
    },
    /// Exactly this function, subscribed or not.
    Function {
        /// The function's id.
        function_id: Arc<str>,
        /// The id for the run; generated where `None`.
        run_id: Option<Arc<str>>,
    },
}

/// What became of a published event.
#[derive(Debug, Clone)]
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

/// A run of a published event.
#[derive(Debug, Clone)]
pub struct PublishedRun {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// The lease, if the run was claimed in the same write.
    pub lease: Option<Lease>,
}
