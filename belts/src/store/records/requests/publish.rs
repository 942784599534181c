//! What is published.

use std::sync::Arc;

use super::{Capacity, EventDigest, Flow};
use crate::{clock::Timestamp, store::Parent};

/// Publishes events; see [`Store::publish`](crate::store::Store::publish).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Publish {
    /// The events.
    pub events: Vec<NewEvent>,
    /// Where given, new runs that are due are leased at once within this capacity.
    pub claim: Option<Capacity>,
    /// The current time.
    pub now: Timestamp,
}

impl Publish {
    /// Publishes these events without claiming runs.
    pub fn new(events: Vec<NewEvent>, now: Timestamp) -> Self {
        Self {
            events,
            claim: None,
            now,
        }
    }

    /// Asks for a lease on new runs that are due, within this capacity.
    #[must_use]
    pub fn with_claim(mut self, claim: impl Into<Option<Capacity>>) -> Self {
        self.claim = claim.into();
        self
    }
}

/// An event to be published.
///
/// ```
/// use belts::{Timestamp, store::{NewEvent, Target}};
/// let event = NewEvent::new("o-17", "order-created", *br#"{"cents":1290}"#, Timestamp::from_millis(0))
///     .with_target(Target::function("ship-order", None))
///     .with_retries(5);
/// assert_eq!(event.correlation_key, None);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
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
    /// The run that starts its runs, if one does.
    pub parent: Option<Parent>,
    /// What the flow options of functions make of it, by their ids, as far as its publisher has their code. A run of a function that
    /// has such options and is not named here is [routed](crate::store::Store::route) by the worker that claims it.
    pub flows: Vec<(Arc<str>, Flow)>,
}

impl NewEvent {
    /// An event for every subscriber, with the digest of what it says.
    pub fn new(
        id: impl Into<Arc<str>>,
        event_type: impl Into<Arc<str>>,
        payload: impl Into<Arc<[u8]>>,
        due_at: Timestamp,
    ) -> Self {
        let (event_type, payload) = (event_type.into(), payload.into());
        Self {
            id: id.into(),
            digest: EventDigest::of(&event_type, &payload),
            event_type,
            payload,
            correlation_key: None,
            due_at,
            retries: None,
            traceparent: None,
            target: Target::subscribers(),
            parent: None,
            flows: Vec::new(),
        }
    }

    /// Sets what later waits for this event will look for.
    #[must_use]
    pub fn with_correlation_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.correlation_key = Some(key.into());
        self
    }

    /// Sets the retries of its runs.
    #[must_use]
    pub fn with_retries(mut self, retries: impl Into<Option<u32>>) -> Self {
        self.retries = retries.into();
        self
    }

    /// Sets the span that it is published in.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<Arc<str>>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// Sets which functions it starts.
    #[must_use]
    pub fn with_target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// Sets the run that starts its runs.
    #[must_use]
    pub fn with_parent(mut self, parent: impl Into<Option<Parent>>) -> Self {
        self.parent = parent.into();
        self
    }

    /// Sets what the flow options of functions make of it.
    #[must_use]
    pub fn with_flows(mut self, flows: Vec<(Arc<str>, Flow)>) -> Self {
        self.flows = flows;
        self
    }

    /// What the flow options of a function make of it, if that is known.
    pub fn flow_of(&self, function_id: &str) -> Option<&Flow> {
        let mut flows = self.flows.iter();
        let found = flows.find(|(of, _)| **of == *function_id);
        found.map(|(_, flow)| flow)
    }
}

/// Which functions an event starts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// Those that subscribe to its type, but for the ones listed here, whose filter said no.
    #[non_exhaustive]
    Subscribers {
        /// Functions to leave out.
        except: Vec<Arc<str>>,
    },
    /// Exactly this function, subscribed or not.
    #[non_exhaustive]
    Function {
        /// The function's id.
        function_id: Arc<str>,
        /// The id for the run; generated where `None`.
        run_id: Option<Arc<str>>,
    },
}

impl Target {
    /// Every function that subscribes to the event's type.
    pub fn subscribers() -> Self {
        Self::subscribers_except(Vec::new())
    }

    /// Every function that subscribes to the event's type, but for these.
    pub fn subscribers_except(except: Vec<Arc<str>>) -> Self {
        Self::Subscribers { except }
    }

    /// This function alone, under this run id if there is one.
    pub fn function(function_id: impl Into<Arc<str>>, run_id: Option<Arc<str>>) -> Self {
        Self::Function {
            function_id: function_id.into(),
            run_id,
        }
    }
}
