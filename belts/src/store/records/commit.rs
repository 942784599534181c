//! What a worker writes for a run: entries of its journal, and what becomes of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Lease;
use crate::clock::Timestamp;

/// Commits of several runs in one write.
#[derive(Debug, Clone)]
pub struct CommitBatch {
    /// The commits.
    pub commits: Vec<Commit>,
    /// The current time.
    pub now: Timestamp,
}

/// What a worker writes for one run.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The right to write.
    pub lease: Lease,
    /// New and changed journal entries.
    pub entries: Vec<Entry>,
    /// What becomes of the run; `None` while it goes on.
    pub transition: Option<Transition>,
}

/// Whether a commit was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It was.
    Applied,
    /// The lease had ended; nothing was written.
    LeaseLost,
}

/// What becomes of a run; each ends the lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// The run goes on at `due_at`: it sleeps, waits for a retry of a step, or was released.
    Suspend {
        /// When it is due.
        due_at: Timestamp,
    },
    /// The attempt failed; the next one begins at `due_at`.
    Retry {
        /// When it is due.
        due_at: Timestamp,
        /// Failed attempts so far, this one included.
        failed_attempts: u32,
        /// The failure, as an envelope of [`codec`](crate::codec).
        error: Arc<[u8]>,
    },
    /// The function returned `Ok`.
    Complete {
        /// The output, as an envelope.
        output: Arc<[u8]>,
    },
    /// The run failed for good.
    Fail {
        /// Failed attempts, this one included.
        failed_attempts: u32,
        /// The failure, as an envelope.
        error: Arc<[u8]>,
    },
    /// The run reached the step at which it was asked to stop; it goes on when it is asked for by name.
    Stop,
    /// The function's filter does not want the event; the run is removed.
    Skip,
}

/// One recorded step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Attempts begun, this one included; 0 for a sleep.
    pub attempts: u32,
    /// When a waiting entry goes on.
    pub due_at: Option<Timestamp>,
    /// When the first attempt began.
    pub started_at: Timestamp,
    /// When it was recorded for good.
    pub finished_at: Option<Timestamp>,
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
}

/// How far a journal entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StepState {
    /// It goes on at `due_at`: a sleep, or a failed attempt that will be retried.
    Waiting,
    /// Its result is recorded.
    Completed,
    /// Its failure is recorded.
    Failed,
}
