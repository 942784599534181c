//! Which runs this process drives at the moment, so that it does not claim one of its own a second time.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use super::ledger::Ledger;
use crate::{clock::Timestamp, live::LiveRun};

/// The runs that are driven here.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    ledger: Mutex<Ledger<DrivenRun>>,
    /// Told whenever doubts have been settled, or could not be.
    pub(super) calm: Notify,
}

/// What is known of a drive.
#[derive(Debug)]
pub(super) struct DrivenRun {
    pub(super) since: Timestamp,
    /// The run, once it is driven and for as long as it is.
    pub(super) run: Weak<LiveRun>,
    /// Whether the lease was lost before that.
    pub(super) lost: bool,
}

impl DrivenRun {
    /// Whether it is known to undo its run.
    pub(super) fn undoes(&self) -> bool {
        self.run.upgrade().is_some_and(|run| run.is_undoing())
    }

    /// Notes that the lease is lost; the run that is to be told, if it is driven already.
    pub(super) fn lose(&mut self) -> Option<Arc<LiveRun>> {
        self.lost = true;
        self.run.upgrade()
    }
}

impl Driven {
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Ledger<DrivenRun>) -> T) -> T {
        change(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
