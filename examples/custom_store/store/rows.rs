//! The rows that are kept as JSON. What may be large, or is no text, lies in tables of its own.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use belts::{
    Timestamp,
    store::{
        Entry, EventDigest, Note, RunStatus, StepKind, StepState, Subscription, WorkerId,
        parts::{Crashes, Deadlines, next_token},
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::fault::Fault;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) lease_until: Timestamp,
    pub(crate) lease: Duration,
    pub(crate) wants: Vec<Subscription>,
    /// What its program's build is called.
    #[serde(default)]
    pub(crate) build: Option<Arc<str>>,
    /// It was deregistered, or silent for too long. Its row stays for its subscriptions, until a session of the same program
    /// supersedes it.
    pub(crate) ended: bool,
}

impl Session {
    pub(crate) fn is_alive(&self, now: Timestamp) -> bool {
        !self.ended && now < self.lease_until
    }

    pub(crate) fn has(&self, function: &str) -> bool {
        let mut wants = self.wants.iter();
        wants.any(|wanted| &*wanted.function_id == function)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "as belts calls it")]
pub(crate) struct Event {
    pub(crate) event_type: Arc<str>,
    pub(crate) digest: [u8; 16],
    pub(crate) traceparent: Option<Arc<str>>,
    pub(crate) published_at: Timestamp,
    /// The numbers of its runs.
    pub(crate) runs: Vec<i64>,
}

impl Event {
    pub(crate) fn digest(&self) -> EventDigest {
        EventDigest(self.digest)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: Arc<str>,
    pub(crate) function_id: Arc<str>,
    pub(crate) event_id: Arc<str>,
    pub(crate) event_type: Arc<str>,
    pub(crate) published_at: Timestamp,
    pub(crate) status: RunStatus,
    /// Set while it waits for a worker; never together with `worker`.
    pub(crate) due_at: Option<Timestamp>,
    /// The session that holds its lease.
    pub(crate) worker: Option<WorkerId>,
    /// The token of its last lease.
    pub(crate) token: i64,
    pub(crate) failed_attempts: u32,
    pub(crate) retries: Option<u32>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) deadlines: Option<Deadlines>,
    /// How it ends once it is undone.
    #[serde(default)]
    pub(crate) undoing: Option<RunStatus>,
    pub(crate) crashes: Crashes,
    pub(crate) notes: Vec<Note>,
    /// Its tags, each as `name=value`.
    #[serde(default)]
    pub(crate) tags: BTreeSet<String>,
    /// The build that began it.
    #[serde(default)]
    pub(crate) build: Option<Arc<str>>,
}

impl Run {
    /// It waits for a worker until its time has come.
    pub(crate) fn wait(&mut self, status: RunStatus, due_at: Timestamp) {
        (self.status, self.due_at) = (status, Some(due_at));
        (self.worker, self.finished_at) = (None, None);
    }

    pub(crate) fn finish(&mut self, status: RunStatus, now: Timestamp) {
        (self.status, self.finished_at) = (status, Some(now));
        (self.worker, self.due_at, self.undoing) = (None, None, None);
    }

    /// It is undone before it ends so: until then nobody else decides anything about it.
    pub(crate) fn undo(&mut self, status: RunStatus, now: Timestamp) {
        self.wait(RunStatus::Suspended, now);
        self.undoing = Some(status);
    }

    pub(crate) fn may_be_cancelled(&self) -> bool {
        !self.status.is_finished() && self.undoing.is_none()
    }

    /// Where it stands, as it is told.
    pub(crate) fn shown_status(&self) -> RunStatus {
        match self.undoing {
            Some(_) => RunStatus::Undoing,
            None => self.status,
        }
    }

    /// When its time is over, if it has not finished.
    pub(crate) fn over_at(&self) -> Option<Timestamp> {
        let deadlines = self.deadlines.filter(|_| self.may_be_cancelled())?;
        deadlines.next(self.started_at.is_some())
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.over_at().is_some_and(|over_at| over_at <= now)
    }

    /// It gets a new lease, and no earlier one counts from here on.
    pub(crate) fn lease(&mut self, worker: WorkerId, build: Option<Arc<str>>, now: Timestamp) {
        (self.status, self.worker) = (RunStatus::Running, Some(worker));
        (self.due_at, self.token) = (None, next_token(self.token));
        // One that is only to be ended does not begin by that.
        if self.started_at.is_none() && self.undoing.is_none() {
            (self.started_at, self.build) = (Some(now), build);
        }
    }
}

/// A journal entry without its `seq`, which is its key, and its value, which stands beside it byte for byte.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    path: Arc<str>,
    kind: StepKind,
    state: StepState,
    type_name: Arc<str>,
    attempts: u32,
    due_at: Option<Timestamp>,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    #[serde(default)]
    undoable: bool,
}

impl Step {
    pub(crate) fn of(entry: &Entry) -> Self {
        Self {
            path: Arc::clone(&entry.path),
            kind: entry.kind,
            state: entry.state,
            type_name: Arc::clone(&entry.type_name),
            attempts: entry.attempts,
            due_at: entry.due_at,
            started_at: entry.started_at,
            finished_at: entry.finished_at,
            undoable: entry.undoable,
        }
    }

    pub(crate) fn with(self, seq: u32, value: &[u8]) -> Entry {
        Entry::new(seq, self.path, self.kind, self.state, self.started_at)
            .with_value(self.type_name, value)
            .with_attempts(self.attempts)
            .with_due_at(self.due_at)
            .with_finished_at(self.finished_at)
            .with_undoable(self.undoable)
    }
}

pub(crate) fn encode(row: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(row).map_err(Fault::Row)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(Fault::Row)
}
