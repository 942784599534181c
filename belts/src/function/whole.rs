//! Several events as one payload, as a function with a `batch` takes them.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};

/// What begins the payload of a batch.
const MARK: &[u8] = br#"{"belts.batch":["#;

/// Several events as one payload.
#[derive(Serialize, Deserialize)]
pub(super) struct Whole<T> {
    #[serde(rename = "belts.batch")]
    pub(super) events: Vec<T>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Item<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) event: &'a RawValue,
}

/// Whether a payload holds several events.
pub(crate) fn is_whole(payload: &[u8]) -> bool {
    payload.starts_with(MARK)
}

/// The payload that holds these events, each with its type and its JSON.
///
/// # Errors
/// One is no JSON.
pub(crate) fn whole<'a>(events: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Arc<[u8]>> {
    let items = events.map(|(event_type, payload)| {
        Ok(Item {
            event_type: event_type.into(),
            event: serde_json::from_slice(payload)?,
        })
    });
    let whole = items
        .collect::<serde_json::Result<Vec<_>>>()
        .and_then(|events| serde_json::to_vec(&Whole { events }));
    whole.map(Arc::from).map_err(|error| {
        Error::new(
            ErrorKind::InvalidEvent,
            "an event of a batch cannot be read",
        )
        .with_source(error)
    })
}
