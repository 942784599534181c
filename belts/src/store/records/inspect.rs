//! What inspection asks for and shows: runs, notes and functions.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Published, not yet claimed.
    Pending,
    /// A worker drives it.
    Running,
    /// It waits for its time.
    Suspended,
    /// It was asked to stop after a step.
    Stopped,
    /// The function returned `Ok`.
    Completed,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::Suspended,
        Self::Stopped,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether the run is over.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word for it, as stores and the wire have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A run as inspection shows it.
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
    /// What people did to it, the earliest first; the last [`Note::MOST`].
    pub notes: Vec<Note>,
}

/// What somebody did to a run by inspection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// What [`Store::purge`](crate::store::Store::purge) or [`Store::forget`](crate::store::Store::forget) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// How many runs went, or ended.
    pub runs: usize,
    /// How many events went that had started nothing.
    pub events: usize,
    /// Whether there is more to do.
    pub more: bool,
}

/// A function as inspection shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionRecord {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event types that start it at present, sorted; none if it was removed.
    pub event_types: Vec<Arc<str>>,
    /// Whether a living session has it.
    pub living: bool,
    /// How many of its runs have not finished, counted up to a limit.
    pub unfinished: usize,
}

impl RunRecord {
    /// A new record; every optional field is empty.
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
            notes: Vec::new(),
        }
    }
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only runs of this function.
    pub function_id: Option<Arc<str>>,
    /// Only runs in one of these states; all of them where empty.
    pub statuses: Vec<RunStatus>,
    /// Only runs of this event.
    pub event_id: Option<Arc<str>>,
    /// Only runs that ended at this time or later; of unfinished runs, the time of the event counts.
    pub since: Option<Timestamp>,
    /// Only runs that ended before this time; of unfinished runs, the time of the event counts.
    pub until: Option<Timestamp>,
    /// The most runs of a page; 100 where 0.
    pub limit: usize,
    /// Where the last page ended, from [`RunPage::next`].
    pub after: Option<String>,
}

/// One page of runs.
#[derive(Debug, Clone, Default)]
pub struct RunPage {
    /// The runs, newest first.
    pub runs: Vec<RunRecord>,
    /// What to pass as [`RunFilter::after`] for the next page; `None` at the end.
    pub next: Option<String>,
}
