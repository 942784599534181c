//! Callbacks: waits that a URL ends, for people and systems that cannot publish events.
//!
//! A callback is an id that the run has recorded. What completes it is published as an event of a type of belts' own whose
//! correlation key follows from that id, so a store keeps, orders and brings it like any event that a run waits for.

mod completion;
mod entry;
mod id;
mod page;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use completion::{Completion, Payload, Undecoded};
pub use entry::{CallbackEntry, CallbackValue};
pub(crate) use id::{is_same, key_of, new_id, run_of};
pub(crate) use page::Page;

use crate::{
    codec::{self, Decoded},
    store::Entry,
};

/// What a run records of a callback.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) id: Arc<str>,
    /// What browsers are shown at its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<Page>,
}

impl Recorded {
    /// What the entry of a callback says.
    pub(crate) fn in_entry(entry: &Entry) -> Option<Self> {
        match codec::decode(&entry.value) {
            Ok(Decoded::Ok(recorded)) => Some(recorded),
            _ => None,
        }
    }
}
