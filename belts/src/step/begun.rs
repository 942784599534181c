//! A step under way: what is known of it, and what the next record of it says.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Unknown, evaluate::type_name};
use crate::{
    clock::Timestamp,
    codec::{self, Begins, Decoded, Failure},
    error::{Error, ErrorKind},
    live::{Arm, Attempt, LiveRun},
    store::{Entry, StepKind, StepState},
};

#[derive(Debug)]
pub(super) struct Begun {
    /// A step, or what undoes one.
    pub(super) kind: StepKind,
    pub(super) path: Arc<str>,
    pub(super) seq: u32,
    pub(super) failed_attempts: u32,
    pub(super) started_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
    /// The failure of the last attempt, as an envelope.
    pub(super) failure: Option<Arc<[u8]>>,
    /// The last heartbeat of earlier attempts.
    pub(super) progress: Option<Arc<RawValue>>,
    /// What is kept of its attempts, where it matters whether one was begun.
    pub(super) begins: Begins,
}

impl Begun {
    /// One that goes on where its entry says.
    pub(super) fn resumed(run: &LiveRun, path: Arc<str>, entry: &Entry) -> Self {
        let failure = match codec::raw(&entry.value) {
            Ok(Decoded::Err(failure)) => Some(codec::encode_err(&failure)),
            _ => None,
        };
        Self {
            kind: entry.kind,
            path,
            seq: entry.seq,
            failed_attempts: entry.attempts,
            started_at: entry.started_at,
            // The process died in an attempt that had sent a heartbeat: the next is due now, whatever the clock was then.
            due_at: Some(entry.due_at.unwrap_or_else(|| run.host.clock.now())),
            failure,
            progress: codec::progress(&entry.value).map(Arc::from),
            begins: codec::begins(&entry.value).unwrap_or_default(),
        }
    }

    pub(super) fn attempt<T>(&self, run: &LiveRun, arm: Option<&Arm>) -> Attempt {
        Attempt {
            times_undone: run.times_undone(&self.path, self.seq),
            kind: self.kind,
            path: Arc::clone(&self.path),
            seq: self.seq,
            failed_attempts: self.failed_attempts,
            started_at: self.started_at,
            type_name: type_name::<T>,
            arm: arm.cloned(),
            failure: self.with_begins(self.failure.clone().unwrap_or_default(), true),
            progress: self.progress.clone(),
        }
    }

    pub(super) fn entry<T>(
        &self,
        state: StepState,
        value: Arc<[u8]>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Entry {
        let succeeded = u32::from(state == StepState::Completed);
        let is_open = state == StepState::Waiting;
        let value = self.with_begins(value, is_open).unwrap_or_default();
        let value = match &self.progress {
            Some(progress) => codec::with_progress(Some(&value), progress),
            None => value,
        };
        Entry {
            seq: self.seq,
            path: Arc::clone(&self.path),
            kind: self.kind,
            state,
            type_name: type_name::<T>(),
            value,
            attempts: self.failed_attempts + succeeded,
            due_at,
            wait: None,
            started_at: self.started_at,
            finished_at: (state != StepState::Waiting).then_some(now),
            undoable: false,
        }
    }

    /// An envelope with what is kept of the attempts, as long as the step `is_open`; `None` if there is nothing of either.
    fn with_begins(&self, envelope: Arc<[u8]>, is_open: bool) -> Option<Arc<[u8]>> {
        if is_open && self.begins.times > 0 {
            return Some(codec::with_begins(&envelope, self.begins));
        }
        (!envelope.is_empty()).then_some(envelope)
    }

    /// Whether it is still unknown what came of an attempt that has failed so.
    pub(super) fn is_open_after(&mut self, error: &Error, unknown: Option<Unknown>) -> bool {
        self.begins.open &= error.kind() == ErrorKind::TimedOut && unknown.is_some();
        self.begins.open
    }

    /// The entry for an attempt that was cut off, where it will be found out whether it has happened.
    pub(super) fn interrupted<T>(
        &mut self,
        error: &Error,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Entry {
        self.failed_attempts += 1;
        let bytes = codec::encode_err(&Failure::of(error));
        (self.due_at, self.failure) = (due_at, Some(Arc::clone(&bytes)));
        self.entry::<T>(StepState::Waiting, bytes, due_at, now)
    }
}

/// The failure of a step of which nothing is known.
pub(super) fn of_unknown(path: &str) -> Error {
    let text = format!(
        "the outcome of the step `{path}` is unknown: an attempt was begun, and its process died or its time ran out before the \
         outcome was recorded"
    );
    Error::new(ErrorKind::OutcomeUnknown, text)
}
