//! What the journal keeps of the event that ended a wait.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    event::EventSet,
    store::{Arrival, Entry},
};

/// What a wait records of the event that ended it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Taken {
    id: Arc<str>,
    #[serde(rename = "type")]
    event_type: Arc<str>,
    /// In the store's order of publishing.
    place: i64,
    event: Box<RawValue>,
}

impl Taken {
    pub(super) fn of(arrival: &Arrival) -> Result<Self> {
        let event = serde_json::from_slice(&arrival.payload).map_err(Error::from_any)?;
        Ok(Self {
            id: Arc::clone(&arrival.event_id),
            event_type: Arc::clone(&arrival.event_type),
            place: arrival.place,
            event,
        })
    }
}

/// The event that a settled wait has taken.
pub(super) fn place_of(entry: &Entry) -> Option<(Arc<str>, i64)> {
    match codec::decode::<Option<Taken>>(&entry.value) {
        Ok(Decoded::Ok(Some(taken))) => Some((taken.event_type, taken.place)),
        _ => None,
    }
}

/// What a recorded wait has come to.
pub(super) fn read<E: EventSet>(path: &str, value: &[u8]) -> Result<Option<E>> {
    let taken = match codec::decode::<Option<Taken>>(value)? {
        Decoded::Ok(taken) => taken,
        Decoded::Err(failure) => return Err(failure.into_error()),
    };
    let event = taken.map(|taken| decode(path, &taken.event_type, taken.event.get().as_bytes()));
    event.transpose()
}

/// An event that has come for the wait of this path.
pub(super) fn decode<E: EventSet>(path: &str, event_type: &str, payload: &[u8]) -> Result<E> {
    E::decode(event_type, payload).map_err(|error| {
        Error::new(
            ErrorKind::InvalidEvent,
            format!("the event that ended the wait `{path}` cannot be read"),
        )
        .with_source(error)
    })
}
