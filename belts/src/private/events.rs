//! Events as derived code writes, reads and checks them.

use std::{fmt, sync::Arc};

use serde::Serialize;

use crate::{
    error::{Error, ErrorKind, Result},
    event::{self, EncodedEvent, Event, EventSet},
    function::is_whole,
};

/// Writes an event. `null`, which is how serde writes a struct without fields, becomes `{}`.
pub fn encode_event<T: Serialize + ?Sized>(
    event_type: &'static str,
    value: &T,
    correlation_key: Option<String>,
) -> Result<EncodedEvent> {
    event::encode(event_type, value, correlation_key)
}

/// Reads an event, with the path to the field where it does not fit.
pub fn decode_event<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T> {
    event::decode(payload)
}

/// `EventSet::encode` of one event. Asks for `Event` only, so that a missing serde derive is said once, at the impl.
pub fn encode_own<E: Event>(event: &E, correlation_key: Option<String>) -> Result<EncodedEvent> {
    encode_event(E::TYPE, event, correlation_key)
}

/// `EventSet::decode` of one event.
pub fn decode_own<E: Event>(event_type: &str, payload: &[u8]) -> Result<E> {
    if event_type == E::TYPE {
        decode_event(payload)
    } else {
        Err(unknown_type(event_type, &[E::TYPE]))
    }
}

/// The error for a type that an enum of events does not hold.
pub fn unknown_type(event_type: &str, known: &[&str]) -> Error {
    Error::new(
        ErrorKind::InvalidEvent,
        format!("event type `{event_type}` is none of: {}", known.join(", ")),
    )
}

/// A correlation key from any field: a string as it is, anything else as JSON.
pub fn correlation_key<T: Serialize + ?Sized>(value: &T) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Null) | Err(_) => None,
        Ok(serde_json::Value::String(text)) => Some(text),
        Ok(other) => Some(other.to_string()),
    }
}

/// The error of a `validate` check.
pub fn invalid(event_type: &str, reason: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::InvalidEvent,
        format!("event `{event_type}` is not valid: {reason}"),
    )
}

/// For `when = …`: reads the event and asks the filter.
pub fn accepts<E: EventSet>(
    event_type: &str,
    payload: &[u8],
    filter: fn(&E) -> bool,
) -> Result<bool> {
    // Each event of a batch was asked about when it came.
    if is_whole(payload) {
        return Ok(true);
    }
    E::decode(event_type, payload).map(|event| filter(&event))
}

/// For `FunctionDef::check` and `EventEntry::check`: the correlation key of a received event that fits and is valid.
pub fn check<E: EventSet>(event_type: &str, payload: &[u8]) -> Result<Option<Arc<str>>> {
    let event = E::decode(event_type, payload)?;
    event.check()?;
    Ok(event.encode()?.correlation_key)
}
