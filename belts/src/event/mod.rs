//! Events: typed messages that start functions.

mod encoding;
pub mod key;

use std::sync::Arc;

pub(crate) use encoding::{checked, decode, encode};

use serde::{Serialize, de::DeserializeOwned};

use crate::error::Result;

/// A typed message that starts functions; derive it on a struct.
///
/// On the wire an event is the struct's JSON object with its `"type"`.
///
/// ```
/// use belts::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// #[event(type = "order-created", key = order_id)]
/// pub struct OrderCreated { pub order_id: String, pub cents: u64 }
///
/// assert_eq!(OrderCreated::TYPE, "order-created");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "add `#[derive(serde::Serialize, serde::Deserialize, belts::Event)]` to `{Self}`"
)]
pub trait Event: EventSet + Serialize + DeserializeOwned {
    /// The type, unique among all events that meet in one store.
    const TYPE: &'static str;
}

/// What a function can take: an event, or an enum of events. Derived together with [`Event`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event or an enum of events",
    note = "add `#[derive(serde::Serialize, serde::Deserialize, belts::Event)]` to `{Self}`"
)]
pub trait EventSet: Sized + Send + Sync + 'static {
    /// The type of its correlation key, for who waits for it: [`key::Key`], or [`key::NoKey`].
    type Key;

    /// The types that it holds.
    const TYPES: &'static [&'static str];

    /// The event as it is published.
    ///
    /// # Errors
    /// It cannot be written as a JSON object, or has a field `type` of its own.
    fn encode(&self) -> Result<EncodedEvent>;

    /// Reads a published event.
    ///
    /// # Errors
    /// The type is none of these, or the JSON does not fit; the error names the path to the field.
    fn decode(event_type: &str, payload: &[u8]) -> Result<Self>;

    /// Runs the event's `validate` check, if it has one.
    ///
    /// # Errors
    /// What the check said.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// An event behind a pointer, as a variant that would be big holds it.
#[diagnostic::do_not_recommend]
impl<E: EventSet> EventSet for Box<E> {
    type Key = E::Key;

    const TYPES: &'static [&'static str] = E::TYPES;

    fn encode(&self) -> Result<EncodedEvent> {
        E::encode(self)
    }

    fn decode(event_type: &str, payload: &[u8]) -> Result<Self> {
        E::decode(event_type, payload).map(Self::new)
    }

    fn check(&self) -> Result<()> {
        E::check(self)
    }
}

/// An event ready to be published.
#[derive(Debug, Clone)]
pub struct EncodedEvent {
    /// The type.
    pub event_type: Arc<str>,
    /// The JSON object without its `type`.
    pub payload: Arc<[u8]>,
    /// The correlation key.
    pub correlation_key: Option<Arc<str>>,
}
