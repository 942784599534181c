//! What a callback is completed with.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    codec,
    error::{Error, ErrorKind, Result},
    event::{EncodedEvent, EventSet, key::NoKey},
    panic,
    store::CALLBACK,
};

/// A value, or a failure with what was said of it.
#[derive(Debug)]
pub(crate) enum Completion<T> {
    Value(T),
    Failure(String),
}

/// As the event has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Payload<'a> {
    #[serde(borrow)]
    Value(&'a RawValue),
    Failure {
        message: String,
    },
}

impl Payload<'_> {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // It consists of JSON and of strings, which always can be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A value as JSON.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    codec::read_at_path(json).map_err(|misfit| {
        // The whole value has no path to speak of.
        let misfit = misfit.trim_start();
        let misfit = misfit.strip_prefix("at `.`: ").unwrap_or(misfit);
        misfit.strip_prefix(": ").unwrap_or(misfit).to_owned()
    })
}

impl<T: DeserializeOwned> Completion<T> {
    /// Reads the event.
    ///
    /// # Errors
    /// It does not fit, or its type panics.
    pub(crate) fn read(event: &[u8]) -> Result<Self> {
        let misfit = |text: String| Error::new(ErrorKind::InvalidEvent, text);
        let payload: Payload<'_> =
            serde_json::from_slice(event).map_err(|error| misfit(codec::misfit(&error)))?;
        let json = match payload {
            Payload::Value(json) => json.get().as_bytes(),
            Payload::Failure { message } => return Ok(Self::Failure(message)),
        };
        panic::catch("to read what completed a callback", || {
            let value = read(json).map_err(misfit)?;
            Ok(Self::Value(value))
        })
    }
}

/// The event as it came: a wait ends with it whatever it says.
#[derive(Debug)]
pub(crate) struct Undecoded(pub(crate) Arc<[u8]>);

impl EventSet for Undecoded {
    type Key = NoKey;

    const TYPES: &'static [&'static str] = &[CALLBACK];

    fn encode(&self) -> Result<EncodedEvent> {
        unreachable!("a completion is published as the JSON that came")
    }

    fn decode(_: &str, payload: &[u8]) -> Result<Self> {
        Ok(Self(payload.into()))
    }
}
