//! What a worker writes for a run: entries of its journal, and what becomes of it.

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    store::{Entry, Lease, NewEvent, RunStatus, Tag, Undoing},
};

/// Commits of several runs in one write; see [`Store::commit`](crate::store::Store::commit).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CommitBatch {
    /// The commits.
    pub commits: Vec<Commit>,
    /// The current time.
    pub now: Timestamp,
}

impl CommitBatch {
    /// These commits, written at this time.
    pub fn new(commits: Vec<Commit>, now: Timestamp) -> Self {
        Self { commits, now }
    }
}

/// What a worker writes for one run.
///
/// ```
/// use belts::store::{Commit, Lease, Transition, WorkerId};
/// let lease = Lease::new(7, WorkerId(1), 4711);
/// let output: &[u8] = br#"{"v":1,"ok":300}"#;
/// let commit = Commit::new(lease).with_transition(Transition::complete(output));
/// assert!(commit.entries.is_empty());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Commit {
    /// The right to write.
    pub lease: Lease,
    /// New and changed journal entries.
    pub entries: Vec<Entry>,
    /// Runs to start: events that each [target](crate::store::Target::Function) a function, with the id for the run, and have this run
    /// as their [parent](NewEvent::parent).
    pub starts: Vec<NewEvent>,
    /// Runs whose end is to be told again; one that does not exist is told as `gone`.
    pub watches: Vec<Arc<str>>,
    /// Runs to cancel, of those that this one has started.
    pub cancels: Vec<Arc<str>>,
    /// Tags to add to the run. One that it has already changes nothing.
    pub tags: Vec<Tag>,
    /// What becomes of the run; `None` while it goes on.
    pub transition: Option<Transition>,
}

impl Commit {
    /// A commit that writes nothing and lets the run go on.
    pub fn new(lease: Lease) -> Self {
        Self {
            lease,
            entries: Vec::new(),
            starts: Vec::new(),
            watches: Vec::new(),
            cancels: Vec::new(),
            tags: Vec::new(),
            transition: None,
        }
    }

    /// Sets the entries to write.
    #[must_use]
    pub fn with_entries(mut self, entries: Vec<Entry>) -> Self {
        self.entries = entries;
        self
    }

    /// Sets the runs to start.
    #[must_use]
    pub fn with_starts(mut self, starts: Vec<NewEvent>) -> Self {
        self.starts = starts;
        self
    }

    /// Sets the runs of whose end this one is to hear again.
    #[must_use]
    pub fn with_watches(mut self, watches: Vec<Arc<str>>) -> Self {
        self.watches = watches;
        self
    }

    /// Sets the runs to cancel.
    #[must_use]
    pub fn with_cancels(mut self, cancels: Vec<Arc<str>>) -> Self {
        self.cancels = cancels;
        self
    }

    /// Sets the tags to add.
    #[must_use]
    pub fn with_tags(mut self, tags: Vec<Tag>) -> Self {
        self.tags = tags;
        self
    }

    /// Whether it writes to other runs than its own.
    pub fn concerns_others(&self) -> bool {
        !(self.starts.is_empty() && self.watches.is_empty() && self.cancels.is_empty())
    }

    /// Whether there is nothing to be written.
    pub(crate) fn is_nothing(&self) -> bool {
        self.entries.is_empty()
            && self.tags.is_empty()
            && !self.concerns_others()
            && self.transition.is_none()
    }

    /// Sets what becomes of the run.
    #[must_use]
    pub fn with_transition(mut self, transition: impl Into<Option<Transition>>) -> Self {
        self.transition = transition.into();
        self
    }
}

/// Whether a commit was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitOutcome {
    /// It was.
    Applied,
    /// The lease had ended; nothing was written.
    LeaseLost,
}

/// What becomes of a run; each ends the lease.
///
/// A store need not tell them apart: [`ending`](Self::ending) says what each writes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Transition {
    /// The run goes on at `due_at`, or as soon as something arrives for one of its waits: it sleeps, waits, or was released.
    #[non_exhaustive]
    Suspend {
        /// When it is due; `None` is not before something arrives.
        due_at: Option<Timestamp>,
    },
    /// The run is put off until `due_at`, whatever arrives: this worker cannot go on with it now.
    #[non_exhaustive]
    PutOff {
        /// When it is due.
        due_at: Timestamp,
    },
    /// The attempt failed; the next one begins at `due_at`, whatever arrives.
    #[non_exhaustive]
    Retry {
        /// When it is due.
        due_at: Timestamp,
        /// Failed attempts so far, this one included.
        failed_attempts: u32,
        /// The failure, as an envelope of [`codec`](crate::codec).
        error: Arc<[u8]>,
    },
    /// The function returned `Ok`.
    #[non_exhaustive]
    Complete {
        /// The output, as an envelope.
        output: Arc<[u8]>,
    },
    /// The run failed for good.
    #[non_exhaustive]
    Fail {
        /// Failed attempts, this one included.
        failed_attempts: u32,
        /// The failure, as an envelope.
        error: Arc<[u8]>,
    },
    /// A run that was [undoing](RunStatus::Undoing) has come to the end that was decided when that began.
    #[non_exhaustive]
    Undone {
        /// That end: failed or cancelled.
        status: RunStatus,
        /// The failure or the cause that was there when it was decided, as an envelope.
        error: Option<Arc<[u8]>>,
    },
    /// The event came that cancels the run.
    #[non_exhaustive]
    Cancel {
        /// What cancelled it, as the envelope of a failure.
        error: Arc<[u8]>,
    },
    /// The run reached the step at which it was asked to stop; it goes on when it is asked for by name.
    Stop,
    /// The function's filter does not want the event; the run is removed.
    Skip,
}

impl Transition {
    /// The run goes on at `due_at`, if that is given, or as soon as something arrives for one of its waits.
    ///
    /// ```
    /// use belts::{Timestamp, store::Transition};
    /// let later = Timestamp::from_millis(1);
    /// assert_eq!(Transition::suspend(later), Transition::suspend(Some(later)));
    /// assert_ne!(Transition::suspend(later), Transition::put_off(later));
    /// ```
    pub fn suspend(due_at: impl Into<Option<Timestamp>>) -> Self {
        Self::Suspend {
            due_at: due_at.into(),
        }
    }

    /// The run goes on at `due_at`, whatever arrives before.
    pub fn put_off(due_at: Timestamp) -> Self {
        Self::PutOff { due_at }
    }

    /// The attempt failed, as `failed_attempts` have by now; the next one begins at `due_at`.
    pub fn retry(due_at: Timestamp, failed_attempts: u32, error: impl Into<Arc<[u8]>>) -> Self {
        Self::Retry {
            due_at,
            failed_attempts,
            error: error.into(),
        }
    }

    /// The function returned `Ok`.
    pub fn complete(output: impl Into<Arc<[u8]>>) -> Self {
        Self::Complete {
            output: output.into(),
        }
    }

    /// The run failed for good, after `failed_attempts`.
    pub fn fail(failed_attempts: u32, error: impl Into<Arc<[u8]>>) -> Self {
        Self::Fail {
            failed_attempts,
            error: error.into(),
        }
    }

    /// A run that was undoing has come to the end that was decided then.
    pub fn undone(undoing: &Undoing) -> Self {
        Self::Undone {
            status: undoing.status,
            error: undoing.error.clone(),
        }
    }

    /// The run was cancelled, by what the failure names.
    pub fn cancel(error: impl Into<Arc<[u8]>>) -> Self {
        Self::Cancel {
            error: error.into(),
        }
    }
}
