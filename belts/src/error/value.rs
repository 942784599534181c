//! An error as its type wrote it, and what carries it in the chain of errors.

use std::{error::Error as StdError, fmt};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::class::BoxError;

/// An error as its type wrote it, beside the texts of a failure.
#[derive(Clone, Serialize, Deserialize)]
pub struct ErrorValue {
    /// The name of its type, without the path.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The error as JSON.
    pub json: Box<RawValue>,
}

impl PartialEq for ErrorValue {
    fn eq(&self, other: &Self) -> bool {
        (&self.type_name, self.json.get()) == (&other.type_name, other.json.get())
    }
}

impl Eq for ErrorValue {}

/// Without the value, which is for whoever asks for it.
impl fmt::Debug for ErrorValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorValue")
            .field("type_name", &self.type_name)
            .field("bytes", &self.json.get().len())
            .finish_non_exhaustive()
    }
}

/// Carries a value as a link of the chain of errors, as wrappers hide the type of what they hold. It prints what it holds.
pub(crate) struct Valued {
    inner: BoxError,
    pub(super) value: Option<ErrorValue>,
}

impl Valued {
    pub(crate) fn new(inner: impl Into<BoxError>, value: Option<ErrorValue>) -> Self {
        Self {
            inner: inner.into(),
            value,
        }
    }

    pub(crate) fn inner(&self) -> &(dyn StdError + 'static) {
        self.inner.as_ref()
    }
}

impl fmt::Debug for Valued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl fmt::Display for Valued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

impl StdError for Valued {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source()
    }
}
