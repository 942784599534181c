//! What was decided of a run whose steps are undone.

use std::sync::Arc;

use super::RunStatus;

/// How a run ends once what its steps did is undone: that was decided when it failed or was cancelled, and nothing changes it.
///
/// ```
/// use belts::store::{RunStatus, Undoing};
/// let undoing = Undoing::new(RunStatus::Cancelled, None);
/// assert_eq!(undoing.status, RunStatus::Cancelled);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undoing {
    /// Failed or cancelled.
    pub status: RunStatus,
    /// The failure or the cause, as an envelope, if there is one.
    pub error: Option<Arc<[u8]>>,
}

impl Undoing {
    /// An end that was decided.
    pub fn new(status: RunStatus, error: impl Into<Option<Arc<[u8]>>>) -> Self {
        let error = error.into();
        Self { status, error }
    }
}
