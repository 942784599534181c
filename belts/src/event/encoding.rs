//! How an event is written and read, and whether it comes back as it is.

use std::cell::Cell;

use serde::{Serialize, de::DeserializeOwned};

use super::{EncodedEvent, EventSet};
use crate::{
    codec::{self, Lost},
    dispatch::wire,
    error::{Error, ErrorKind, Result},
    panic,
};

thread_local! {
    /// What JSON could not hold of the event that this thread wrote last.
    static LOST: Cell<Lost> = const { Cell::new(Lost::NOTHING) };
}

/// A valid event as it is published.
pub(crate) fn checked<E: EventSet>(event: &E) -> Result<EncodedEvent> {
    panic::catch("to write the event", || {
        event.check()?;
        LOST.take();
        let encoded = event.encode()?;
        let lost = LOST.take();
        if !lost.is_nothing() {
            comes_back::<E>(&encoded, lost)?;
        }
        Ok(encoded)
    })
}

/// Whether a function will read what was written, although JSON could not hold all of it.
fn comes_back<E: EventSet>(encoded: &EncodedEvent, lost: Lost) -> Result<()> {
    let misread = match E::decode(&encoded.event_type, &encoded.payload) {
        Err(error) => Some(format!("cannot be read back ({error})")),
        Ok(back) => {
            back.encode()?;
            (LOST.take() != lost).then(|| "would change when read back".to_owned())
        }
    };
    let Some(misread) = misread else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::InvalidEvent,
        format!(
            "event `{}` {misread}: {}",
            encoded.event_type,
            lost.reason()
        ),
    ))
}

/// Where serde's attributes make it so, such as `flatten`, no macro sees it.
const TYPE_OF_ITS_OWN: &str = "has a field `type` of its own, which holds the event's type on the wire; name that field otherwise, such as \
     `kind`";

/// Writes an event as a JSON object.
pub(crate) fn encode<T: Serialize + ?Sized>(
    event_type: &'static str,
    value: &T,
    correlation_key: Option<String>,
) -> Result<EncodedEvent> {
    let fail = |reason: &str| {
        Error::new(
            ErrorKind::InvalidEvent,
            format!("event `{event_type}` {reason}"),
        )
    };
    let mut payload = Vec::with_capacity(128);
    let lost = codec::write_json(&mut payload, value)
        .map_err(|error| fail("cannot be written as JSON").with_source(error))?;
    LOST.set(lost);
    if payload == b"null" {
        payload = b"{}".to_vec();
    }
    if payload.first() != Some(&b'{') {
        return Err(fail(
            "is not a JSON object: an event is a struct with named fields",
        ));
    }
    if wire::has_type(&payload) {
        return Err(fail(TYPE_OF_ITS_OWN));
    }
    Ok(EncodedEvent {
        event_type: event_type.into(),
        payload: payload.into(),
        correlation_key: correlation_key.map(Into::into),
    })
}

/// Reads an event; where it does not fit, a second reading finds the path to the field.
pub(crate) fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T> {
    codec::read_at_path(payload).map_err(|misfit| {
        Error::new(
            ErrorKind::InvalidEvent,
            format!("the event does not fit{misfit}"),
        )
    })
}
