//! What the event that ended a wait says.

use std::sync::Arc;

use crate::{
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    event::EventSet,
    run::Taken,
    store::Entry,
};

/// The event that a settled wait has taken.
pub(super) fn place_of(entry: &Entry) -> Option<(Arc<str>, i64)> {
    Taken::in_entry(entry).map(|taken| (taken.event_type, taken.place))
}

/// The type of the event that a recorded wait has taken.
pub(crate) fn taken_type(entry: &Entry) -> Option<Arc<str>> {
    Taken::in_entry(entry).map(|taken| taken.event_type)
}

/// What a recorded wait has come to.
pub(super) fn read<E: EventSet>(path: &str, value: &[u8]) -> Result<Option<E>> {
    let event = taken(value)?.map(|taken| decode(path, &taken.event_type, taken.event()));
    event.transpose()
}

/// The event that ended a recorded wait, as it came.
pub(super) fn event_in(value: &[u8]) -> Result<Option<Arc<[u8]>>> {
    Ok(taken(value)?.map(|taken| taken.event().into()))
}

fn taken(value: &[u8]) -> Result<Option<Taken>> {
    match codec::decode::<Option<Taken>>(value)? {
        Decoded::Ok(taken) => Ok(taken),
        Decoded::Err(failure) => Err(failure.into_error()),
    }
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
