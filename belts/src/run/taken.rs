//! What the journal keeps of the event that ended a wait.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    codec::{self, Decoded},
    error::{Error, Result},
    store::{Arrival, ENDED, Entry, StepState},
};

use super::child::is_completed;

/// What a wait records of the event that ended it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    id: Arc<str>,
    #[serde(rename = "type")]
    pub(crate) event_type: Arc<str>,
    /// In the store's order of publishing.
    pub(crate) place: i64,
    event: Box<RawValue>,
}

impl Taken {
    pub(crate) fn of(arrival: &Arrival) -> Result<Self> {
        let event = serde_json::from_slice(&arrival.payload).map_err(Error::from_any)?;
        Ok(Self {
            id: Arc::clone(&arrival.event_id),
            event_type: Arc::clone(&arrival.event_type),
            place: arrival.place,
            event,
        })
    }

    /// How the wait ends by it. The end of a run that did not complete is a failure, so that a rerun looks again.
    pub(crate) fn state(&self) -> StepState {
        if &*self.event_type == ENDED && !is_completed(self.event()) {
            StepState::Failed
        } else {
            StepState::Completed
        }
    }

    /// The event that a settled wait has taken, if any.
    pub(crate) fn in_entry(entry: &Entry) -> Option<Self> {
        match codec::decode::<Option<Self>>(&entry.value) {
            Ok(Decoded::Ok(taken)) => taken,
            _ => None,
        }
    }

    /// The event as JSON.
    pub(crate) fn event(&self) -> &[u8] {
        self.event.get().as_bytes()
    }

    /// The event as JSON.
    pub(crate) fn into_event(self) -> Box<RawValue> {
        self.event
    }
}
