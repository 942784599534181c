//! A commit of a batch.

use crate::store::{Commit, Timestamp, Transition};

/// A commit and where it stands among all of its batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) index: usize,
    pub(super) commit: &'a Commit,
    pub(super) now: Timestamp,
}

impl Placed<'_> {
    /// Whether the run is due right after.
    pub(super) fn leaves_due(&self) -> bool {
        let transition = self.commit.transition.as_ref();
        let ending = transition.and_then(Transition::ending);
        ending.is_some_and(|ending| ending.is_due(self.now))
    }
}
