//! Runs as inspection shows them.

use std::sync::Arc;

use super::{InLine, Mark, Note, Parent, RunStatus, Tag};
use crate::clock::Timestamp;

/// The most bytes of a failure that a list brings.
const LISTED_FAILURE: usize = 16 * 1024;

/// A run as inspection shows it.
///
/// ```
/// use belts::{Timestamp, store::{RunRecord, RunStatus}};
/// let event = ("o-17".into(), "order-created".into(), (*b"{}").into());
/// let (published, ended) = (Timestamp::from_millis(1), Timestamp::from_millis(2));
/// let record = RunRecord::new("r-1".into(), "ship-order".into(), event, RunStatus::Completed, published)
///     .with_result(*br#"{"v":1,"ok":7}"#)
///     .with_finished_at(ended);
/// assert_eq!(record.listed().result, None);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunRecord {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event's id.
    pub event_id: Arc<str>,
    /// The event's type.
    pub event_type: Arc<str>,
    /// The event as JSON, without its `type`; empty in a list.
    pub payload: Arc<[u8]>,
    /// Where it stands.
    pub status: RunStatus,
    /// Failed attempts so far.
    pub failed_attempts: u32,
    /// The output or the last failure, as an envelope. A list has failures only, and those of at most 16 KiB.
    pub result: Option<Arc<[u8]>>,
    /// When the event was published.
    pub created_at: Timestamp,
    /// When the run first started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it goes on, if it waits.
    pub due_at: Option<Timestamp>,
    /// By when it must have been claimed for the first time, if it must.
    pub start_by: Option<Timestamp>,
    /// By when it must have ended, if it must.
    pub finish_by: Option<Timestamp>,
    /// The run that started it, if one did.
    pub parent: Option<Parent>,
    /// What flow options have made of it, if any were applied.
    pub mark: Option<Mark>,
    /// The limit of runs at once that keeps it waiting, if one does; a list does not tell.
    pub in_line: Option<InLine>,
    /// What it is about, by name, then by value.
    pub tags: Vec<Tag>,
    /// What people did to it, the earliest first; the last [`Note::MOST`].
    pub notes: Vec<Note>,
    /// The build of the program that began it, if it has begun and its worker named one.
    pub build: Option<Arc<str>>,
}

impl RunRecord {
    /// The record of a run that has not started. The event is its id, its type, and what it says.
    pub fn new(
        run_id: Arc<str>,
        function_id: Arc<str>,
        event: (Arc<str>, Arc<str>, Arc<[u8]>),
        status: RunStatus,
        created_at: Timestamp,
    ) -> Self {
        let (event_id, event_type, payload) = event;
        Self {
            run_id,
            function_id,
            event_id,
            event_type,
            payload,
            status,
            failed_attempts: 0,
            result: None,
            created_at,
            started_at: None,
            finished_at: None,
            due_at: None,
            start_by: None,
            finish_by: None,
            parent: None,
            mark: None,
            in_line: None,
            tags: Vec::new(),
            notes: Vec::new(),
            build: None,
        }
    }

    /// Sets how many attempts have failed.
    #[must_use]
    pub fn with_failed_attempts(mut self, failed_attempts: u32) -> Self {
        self.failed_attempts = failed_attempts;
        self
    }

    /// Sets its output or last failure.
    #[must_use]
    pub fn with_result(mut self, result: impl Into<Arc<[u8]>>) -> Self {
        self.result = Some(result.into());
        self
    }

    /// Sets when it first started.
    #[must_use]
    pub fn with_started_at(mut self, started_at: impl Into<Option<Timestamp>>) -> Self {
        self.started_at = started_at.into();
        self
    }

    /// Sets when it ended.
    #[must_use]
    pub fn with_finished_at(mut self, finished_at: impl Into<Option<Timestamp>>) -> Self {
        self.finished_at = finished_at.into();
        self
    }

    /// Sets when it goes on.
    #[must_use]
    pub fn with_due_at(mut self, due_at: impl Into<Option<Timestamp>>) -> Self {
        self.due_at = due_at.into();
        self
    }

    /// Sets by when it must have been claimed.
    #[must_use]
    pub fn with_start_by(mut self, start_by: impl Into<Option<Timestamp>>) -> Self {
        self.start_by = start_by.into();
        self
    }

    /// Sets by when it must have ended.
    #[must_use]
    pub fn with_finish_by(mut self, finish_by: impl Into<Option<Timestamp>>) -> Self {
        self.finish_by = finish_by.into();
        self
    }

    /// Sets the run that started it.
    #[must_use]
    pub fn with_parent(mut self, parent: impl Into<Option<Parent>>) -> Self {
        self.parent = parent.into();
        self
    }

    /// Sets what flow options have made of it.
    #[must_use]
    pub fn with_mark(mut self, mark: impl Into<Option<Mark>>) -> Self {
        self.mark = mark.into();
        self
    }

    /// Sets the limit of runs at once that keeps it waiting.
    #[must_use]
    pub fn with_in_line(mut self, in_line: impl Into<Option<InLine>>) -> Self {
        self.in_line = in_line.into();
        self
    }

    /// Why flow options do not let it go on, or have skipped it; `None` where they do.
    pub fn why(&self) -> Option<String> {
        let is_skipped = matches!(self.mark, Some(Mark::Skipped(_)));
        let rests = self.status == RunStatus::Pending || self.status == RunStatus::Suspended;
        if let Some(in_line) = self.in_line.as_ref().filter(|_| rests) {
            return Some(in_line.why(&self.function_id));
        }
        let mark = self.mark.as_ref()?;
        if is_skipped && self.status == RunStatus::Cancelled {
            return mark.why(None);
        }
        if !rests || self.started_at.is_some() {
            return None;
        }
        mark.why(self.due_at)
    }

    /// Sets what it is about.
    #[must_use]
    pub fn with_tags(mut self, tags: Vec<Tag>) -> Self {
        self.tags = tags;
        self
    }

    /// Sets what people did to it.
    #[must_use]
    pub fn with_notes(mut self, notes: Vec<Note>) -> Self {
        self.notes = notes;
        self
    }

    /// Sets the build that began it.
    #[must_use]
    pub fn with_build(mut self, build: impl Into<Option<Arc<str>>>) -> Self {
        self.build = build.into();
        self
    }

    /// What a list brings of it: no event, no output, and a failure only if it is short.
    #[must_use]
    pub fn listed(mut self) -> Self {
        self.payload = Arc::default();
        let status = self.status;
        self.result
            .take_if(|result| status == RunStatus::Completed || result.len() > LISTED_FAILURE);
        self
    }
}

/// One page of runs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunPage {
    /// The runs, newest first.
    pub runs: Vec<RunRecord>,
    /// What to pass as [`RunFilter::after`](crate::store::RunFilter::after) for the next page; `None` at the end.
    pub next: Option<String>,
}

impl RunPage {
    /// The last page.
    pub fn new(runs: Vec<RunRecord>) -> Self {
        Self { runs, next: None }
    }

    /// Says where the next page begins.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}
