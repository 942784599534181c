//! What becomes of the row of a run when a lease ends: written once, for every store.

use std::sync::Arc;

use super::{RunStatus, Timestamp, Transition};

/// What a [`Transition`] writes into the row of its run, which has no lease after it.
///
/// ```
/// use belts::{Timestamp, store::{RunStatus, Transition}};
/// let [now, later] = [1, 2].map(Timestamp::from_millis);
/// let (retry, fail) = (Transition::retry(later, 1, *b"{}"), Transition::fail(4, *b"{}"));
/// let (retry, fail) = (retry.ending().expect("the run stays"), fail.ending().expect("the run stays"));
/// assert_eq!((retry.status, retry.due_at, retry.finished_at(now)), (RunStatus::Suspended, Some(later), None));
/// assert_eq!((fail.status, fail.failed_attempts, fail.finished_at(now)), (RunStatus::Failed, Some(4), Some(now)));
/// assert!(Transition::Skip.ending().is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Ending<'a> {
    /// Where the run stands.
    pub status: RunStatus,
    /// When it is due; `None` if it has finished, or waits to be named, or for something to arrive.
    pub due_at: Option<Timestamp>,
    /// Failed attempts so far; `None` leaves what is there.
    pub failed_attempts: Option<u32>,
    /// The output or the failure; `None` leaves what is there.
    pub result: Option<&'a Arc<[u8]>>,
    /// Whether it is due at `due_at` and no earlier, whatever arrives for its waits.
    pub keeps_time: bool,
    /// Whether nothing is left to be undone: only then does a run end as failed or cancelled that has recorded what can be.
    pub is_undone: bool,
}

impl<'a> Ending<'a> {
    fn to(status: RunStatus) -> Self {
        Self {
            status,
            due_at: None,
            failed_attempts: None,
            result: None,
            keeps_time: false,
            is_undone: false,
        }
    }

    fn put_off(due_at: Timestamp) -> Self {
        Self {
            due_at: Some(due_at),
            keeps_time: true,
            ..Self::to(RunStatus::Suspended)
        }
    }

    fn failed(self, attempts: u32, error: &'a Arc<[u8]>) -> Self {
        Self {
            failed_attempts: Some(attempts),
            result: Some(error),
            ..self
        }
    }

    /// When the run finished, if it does so now.
    pub fn finished_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.status.is_finished().then_some(now)
    }

    /// Whether it is due as soon as something arrives for one of its waits.
    pub fn may_wait(&self) -> bool {
        self.status == RunStatus::Suspended && !self.keeps_time
    }

    /// The same, but due at `now` at the latest: something has arrived already.
    #[must_use]
    pub fn due_by(self, now: Timestamp) -> Self {
        let due_at = Some(self.due_at.map_or(now, |due_at| due_at.min(now)));
        Self { due_at, ..self }
    }

    /// Whether a run that has recorded what can be undone goes on to that in place of this end.
    pub fn may_be_undone(&self) -> bool {
        let ends = matches!(self.status, RunStatus::Failed | RunStatus::Cancelled);
        ends && !self.is_undone
    }

    /// Whether the run is due already, so that whoever waits for work is to be woken.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due_at| due_at <= now)
    }
}

impl Transition {
    /// What it writes into the row of the run; `None` if the run is removed.
    pub fn ending(&self) -> Option<Ending<'_>> {
        Some(match self {
            Self::Suspend { due_at } => Ending {
                due_at: *due_at,
                ..Ending::to(RunStatus::Suspended)
            },
            Self::PutOff { due_at } => Ending::put_off(*due_at),
            Self::Retry {
                due_at,
                failed_attempts,
                error,
            } => Ending::put_off(*due_at).failed(*failed_attempts, error),
            Self::Complete { output } => Ending {
                result: Some(output),
                ..Ending::to(RunStatus::Completed)
            },
            Self::Fail {
                failed_attempts,
                error,
            } => Ending::to(RunStatus::Failed).failed(*failed_attempts, error),
            Self::Cancel { error } => Ending {
                result: Some(error),
                ..Ending::to(RunStatus::Cancelled)
            },
            Self::Undone { status, error } => Ending {
                result: error.as_ref(),
                is_undone: true,
                ..Ending::to(*status)
            },
            Self::Stop => Ending::to(RunStatus::Stopped),
            Self::Skip => return None,
        })
    }
}
