//! What people did to runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What somebody did to a run by inspection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who, as far as is known. It may come from outside, so it is to be escaped where it is shown.
    pub by: Arc<str>,
    /// What was asked for, such as `cancel`.
    pub action: Arc<str>,
}

impl Note {
    /// How many notes of a run are kept.
    pub const MOST: usize = 50;

    /// Somebody asked for this action then.
    pub fn new(at: Timestamp, by: impl Into<Arc<str>>, action: impl Into<Arc<str>>) -> Self {
        Self {
            at,
            by: by.into(),
            action: action.into(),
        }
    }
}
