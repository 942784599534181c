//! What a run has recorded.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CANCEL_ON, Wait};
use crate::clock::Timestamp;

/// One recorded step of a run.
///
/// ```
/// use belts::{Timestamp, store::{Entry, StepKind, StepState}};
/// let (began, ended) = (Timestamp::from_millis(1), Timestamp::from_millis(2));
/// let entry = Entry::new(0, "weigh", StepKind::Step, StepState::Completed, began)
///     .with_value("u32", *br#"{"v":1,"ok":300}"#)
///     .with_attempts(1)
///     .with_finished_at(ended);
/// assert_eq!((&*entry.path, entry.due_at), ("weigh", None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its place in the order of recording, from 0.
    pub seq: u32,
    /// Its key under the keys of its scopes; compared as a whole.
    pub path: Arc<str>,
    /// What it is.
    pub kind: StepKind,
    /// How far it is.
    pub state: StepState,
    /// The name of the result's Rust type.
    pub type_name: Arc<str>,
    /// The result or failure, as an envelope; the last failure while it waits for a retry; empty for a sleep.
    pub value: Arc<[u8]>,
    /// Attempts that are over; 0 for a sleep. The one that is under way is not among them, also where a heartbeat of it is recorded.
    pub attempts: u32,
    /// When a waiting entry goes on; the end of its patience where it waits for something else.
    pub due_at: Option<Timestamp>,
    /// What it waits for, or waited for, beside a time.
    pub wait: Option<Wait>,
    /// When the first attempt began.
    pub started_at: Timestamp,
    /// When it was recorded for good.
    pub finished_at: Option<Timestamp>,
    /// Whether what it did is to be undone if the run fails or is cancelled. Only completed entries are.
    pub undoable: bool,
}

impl Entry {
    /// An entry without a value, a time or attempts.
    pub fn new(
        seq: u32,
        path: impl Into<Arc<str>>,
        kind: StepKind,
        state: StepState,
        started_at: Timestamp,
    ) -> Self {
        Self {
            seq,
            path: path.into(),
            kind,
            state,
            type_name: Arc::default(),
            value: Arc::default(),
            attempts: 0,
            due_at: None,
            wait: None,
            started_at,
            finished_at: None,
            undoable: false,
        }
    }

    /// Sets its result or failure, with the name of its Rust type.
    #[must_use]
    pub fn with_value(
        mut self,
        type_name: impl Into<Arc<str>>,
        value: impl Into<Arc<[u8]>>,
    ) -> Self {
        self.type_name = type_name.into();
        self.value = value.into();
        self
    }

    /// Sets how many attempts are over.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets when it goes on.
    #[must_use]
    pub fn with_due_at(mut self, due_at: impl Into<Option<Timestamp>>) -> Self {
        self.due_at = due_at.into();
        self
    }

    /// Sets what it waits for.
    #[must_use]
    pub fn with_wait(mut self, wait: impl Into<Option<Wait>>) -> Self {
        self.wait = wait.into();
        self
    }

    /// Sets when it was recorded for good.
    #[must_use]
    pub fn with_finished_at(mut self, finished_at: impl Into<Option<Timestamp>>) -> Self {
        self.finished_at = finished_at.into();
        self
    }

    /// Says that what it did is to be undone if the run fails or is cancelled.
    #[must_use]
    pub fn with_undoable(mut self, undoable: bool) -> Self {
        self.undoable = undoable;
        self
    }

    /// Whether a step only says by it that an attempt is under way. One that is to be tried again says when.
    pub(crate) fn is_heartbeat(&self) -> bool {
        let is_under_way = self.state == StepState::Waiting && self.due_at.is_none();
        matches!(self.kind, StepKind::Step | StepKind::Undo) && is_under_way
    }

    /// Whether it is a step that the function has reached, and not what the engine keeps for itself.
    pub(crate) fn is_step(&self) -> bool {
        !matches!(self.kind, StepKind::Status | StepKind::Undo) && !self.is_cancel_on()
    }

    /// Whether it is a step that the function has reached, or what undoes one. No key makes a path that begins with `~`: those are what
    /// stores keep for themselves.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_step() || self.kind == StepKind::Undo && !self.path.starts_with('~')
    }

    /// Whether it is the wait for the event that cancels the run.
    pub(crate) fn is_cancel_on(&self) -> bool {
        self.kind == StepKind::Wait && &*self.path == CANCEL_ON
    }

    /// Whether this entry was sent before the one that is there under its `seq`, so that it must not replace it: it waits and the
    /// other is finished, or it has fewer attempts.
    ///
    /// ```
    /// use belts::{Timestamp, store::{Entry, StepKind, StepState}};
    /// let entry = |state| Entry::new(0, "weigh", StepKind::Step, state, Timestamp::from_millis(1));
    /// let (waiting, completed) = (entry(StepState::Waiting), entry(StepState::Completed));
    /// assert!(waiting.is_behind(&completed) && !completed.is_behind(&waiting));
    /// ```
    pub fn is_behind(&self, present: &Self) -> bool {
        let waits = |entry: &Self| entry.state == StepState::Waiting;
        waits(self) && !waits(present) || self.attempts < present.attempts
    }
}

/// What a journal entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StepKind {
    /// A `step!`.
    Step,
    /// A `sleep!` or `sleep_until!`.
    Sleep,
    /// It waits for what others do; [`Entry::wait`] says for what.
    Wait,
    /// A `callback!`; its result is the callback's id.
    Callback,
    /// A `race!`; its result is the name of the arm that has won.
    Race,
    /// A `call!`; its result is the output of the run that it called. The `result()` of a `start!` is a [`Wait`](Self::Wait).
    Call,
    /// A `start!`; its result is the handle of the run that it started.
    Start,
    /// It undoes what a step or a call did, whose path it has with `undo:` before the key.
    Undo,
    /// No step: the value that the function set last with [`Context::set_status`](crate::Context::set_status).
    Status,
}

impl StepKind {
    /// Whether such an entry waits for what others do.
    pub(crate) fn is_wait(self) -> bool {
        matches!(self, Self::Wait | Self::Call)
    }
}

/// How far a journal entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StepState {
    /// It goes on at `due_at`: a sleep, or a failed attempt that will be retried. Or it waits for something.
    Waiting,
    /// Its result is recorded.
    Completed,
    /// Its failure is recorded.
    Failed,
}
