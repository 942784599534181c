//! A recorded failure as a link of the chain of errors.

use std::{error::Error as StdError, fmt};

use super::value::ErrorValue;

/// An error read from a store: its text and its sources' texts, and the error itself where that was kept.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(super) message: String,
    pub(super) source: Option<Box<Replayed>>,
    pub(super) value: Option<ErrorValue>,
}

impl Replayed {
    pub(crate) fn value(&self) -> Option<&ErrorValue> {
        self.value.as_ref()
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Replayed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
