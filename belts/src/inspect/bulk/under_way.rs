//! Cancelling under way: what is to be done, and what was.

use std::{collections::HashSet, sync::Arc};

use super::{super::Runs, done::CancelledRuns};
use crate::{error::Error, store::RunFilter};

/// How many runs are listed at once.
pub(super) const PAGE: usize = 200;
/// How many runs are cancelled side by side.
pub(super) const AT_ONCE: usize = 8;
/// How many runs in a row may fail: by then it is the store that does.
const MOST_FAILED: usize = 3 * AT_ONCE;

/// Cancelling under way.
pub(super) struct Bulk<'a> {
    pub(super) runs: &'a Runs,
    pub(super) filter: RunFilter,
    pub(super) action: String,
    pub(super) done: CancelledRuns,
    /// Runs that could not be cancelled, before which none below them is.
    pub(super) stuck: HashSet<Arc<str>>,
    /// How many failed in a row.
    pub(super) failures: usize,
    /// The first error.
    pub(super) error: Option<Error>,
    pub(super) gives_up: bool,
}

impl Bulk<'_> {
    /// How many more runs may be cancelled.
    pub(super) fn room(&self) -> usize {
        match self.filter.limit {
            0 => usize::MAX,
            limit => limit.saturating_sub(self.done.cancelled),
        }
    }

    /// Leaves a run that cannot be cancelled.
    pub(super) fn fail(&mut self, run_id: &Arc<str>, error: Error) {
        self.stuck.insert(Arc::clone(run_id));
        self.done.failed += 1;
        self.failures += 1;
        self.gives_up |= self.failures >= MOST_FAILED;
        self.error.get_or_insert(error);
    }
}
