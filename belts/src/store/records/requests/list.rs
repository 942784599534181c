//! Which runs to list, and which to do again.

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    store::{RunStatus, Tag},
};

/// Which runs to list.
///
/// ```
/// use belts::store::{RunFilter, RunStatus};
/// let failed = RunFilter::new().with_function("ship-order").with_statuses([RunStatus::Failed]);
/// assert_eq!(failed.page_size(), 100);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunFilter {
    /// Only runs of this function.
    pub function_id: Option<Arc<str>>,
    /// Only runs in one of these states; all of them where empty.
    pub statuses: Vec<RunStatus>,
    /// Only runs of this event.
    pub event_id: Option<Arc<str>>,
    /// Only runs that this run has started.
    pub parent: Option<Arc<str>>,
    /// Only runs that have each of these tags.
    pub tags: Vec<Tag>,
    /// Only runs that ended at this time or later; of unfinished runs, the time of the event counts.
    pub since: Option<Timestamp>,
    /// Only runs that ended before this time; of unfinished runs, the time of the event counts.
    pub until: Option<Timestamp>,
    /// Only runs that wait for a worker and are due at this time or earlier.
    pub due_by: Option<Timestamp>,
    /// The most runs of a page; 100 where 0.
    pub limit: usize,
    /// Where the last page ended, from [`RunPage::next`](crate::store::RunPage::next).
    pub after: Option<String>,
    /// About how many runs a page looks at, of which few may pass; all of them where 0. A page that ends there may have no run at all,
    /// and its mark leads on.
    pub looks: usize,
}

impl RunFilter {
    /// Every run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only runs of this function.
    #[must_use]
    pub fn with_function(mut self, function_id: impl Into<Arc<str>>) -> Self {
        self.function_id = Some(function_id.into());
        self
    }

    /// Only runs in one of these states.
    #[must_use]
    pub fn with_statuses(mut self, statuses: impl Into<Vec<RunStatus>>) -> Self {
        self.statuses = statuses.into();
        self
    }

    /// Only runs of this event.
    #[must_use]
    pub fn with_event(mut self, event_id: impl Into<Arc<str>>) -> Self {
        self.event_id = Some(event_id.into());
        self
    }

    /// Only runs that this run has started.
    #[must_use]
    pub fn with_parent(mut self, run_id: impl Into<Arc<str>>) -> Self {
        self.parent = Some(run_id.into());
        self
    }

    /// Only runs that have this tag too.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.tags.push(Tag::new(name, value));
        self
    }

    /// Only runs of this time or later.
    #[must_use]
    pub fn with_since(mut self, since: impl Into<Option<Timestamp>>) -> Self {
        self.since = since.into();
        self
    }

    /// Only runs before this time.
    #[must_use]
    pub fn with_until(mut self, until: impl Into<Option<Timestamp>>) -> Self {
        self.until = until.into();
        self
    }

    /// Only runs that are due at this time.
    #[must_use]
    pub fn with_due_by(mut self, time: impl Into<Option<Timestamp>>) -> Self {
        self.due_by = time.into();
        self
    }

    /// Sets the most runs of a page.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on where the last page ended.
    #[must_use]
    pub fn with_after(mut self, after: impl Into<String>) -> Self {
        self.after = Some(after.into());
        self
    }

    /// Sets about how many runs a page looks at.
    #[must_use]
    pub fn with_looks(mut self, looks: usize) -> Self {
        self.looks = looks;
        self
    }

    /// The most runs per page.
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { 100 } else { self.limit }
    }

    /// Whether it asks for runs of this time: when the run ended, or its event was published if it goes on.
    pub fn includes_time(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// Makes a run due again; see [`Store::rerun`](crate::store::Store::rerun).
///
/// ```
/// use belts::{Timestamp, store::Rerun};
/// let again = Rerun::new("r-1", Timestamp::from_millis(0));
/// assert_eq!((again.from, again.with_from(3).from), (None, Some(3)));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rerun {
    /// The run.
    pub run_id: Arc<str>,
    /// Entries of this `seq` or a greater one are dropped, whatever they are.
    pub from: Option<u32>,
    /// Entries of calls that wait for their child again: their outcome and time limit are cleared. Entries dropped by `from` are never
    /// listed here.
    pub reopen: Vec<u32>,
    /// Entries that are dropped whatever they are: what was undone, and what undid it. Then the run counts as rerun from a step.
    pub undone: Vec<u32>,
    /// The current time.
    pub now: Timestamp,
}

impl Rerun {
    /// Does the run again, with all that it has recorded but for failures.
    pub fn new(run_id: impl Into<Arc<str>>, now: Timestamp) -> Self {
        Self {
            run_id: run_id.into(),
            from: None,
            reopen: Vec::new(),
            undone: Vec::new(),
            now,
        }
    }

    /// Drops the entries from this `seq` on.
    #[must_use]
    pub fn with_from(mut self, from: impl Into<Option<u32>>) -> Self {
        self.from = from.into();
        self
    }

    /// Names the entries that were undone, and those that undid them.
    #[must_use]
    pub fn with_undone(mut self, seqs: Vec<u32>) -> Self {
        self.undone = seqs;
        self
    }

    /// Whether children that it calls from now on are new ones.
    pub fn begins_generation(&self) -> bool {
        self.from.is_some() || !self.undone.is_empty()
    }

    /// Names the entries that wait again for the run that they have called.
    #[must_use]
    pub fn with_reopen(mut self, seqs: Vec<u32>) -> Self {
        self.reopen = seqs;
        self
    }
}
