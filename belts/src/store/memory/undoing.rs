//! Runs in memory that have something to undo: their end is decided first, and they are driven once more before it is theirs.

use super::tables::{Run, Tables};
use crate::store::{Entry, RunStatus, Timestamp, Undoing};

impl Tables {
    /// Ends a run, with those that end with it, or has it undone first; whether somebody is to hear of it.
    pub(super) fn finish(&mut self, number: i64, status: RunStatus, now: Timestamp) -> bool {
        let stops = matches!(status, RunStatus::Failed | RunStatus::Cancelled);
        if stops && self.runs.get(&number).is_some_and(Run::has_undoable) {
            self.begin_undoing(number, status, now);
            return true;
        }
        self.end(number, status, now)
    }

    fn begin_undoing(&mut self, number: i64, status: RunStatus, now: Timestamp) {
        self.close_waits(number);
        self.drop_time(number);
        if let Some(run) = self.runs.get_mut(&number) {
            run.undoing = Some(Undoing::new(status, run.result.clone()));
            run.keeps_time = true;
        }
        self.enqueue(number, RunStatus::Suspended, now);
        self.cancel_attached(number, now);
    }
}

impl Run {
    fn has_undoable(&self) -> bool {
        self.undoing.is_none() && self.journal.iter().any(|entry| entry.undoable)
    }

    pub(super) fn may_be_cancelled(&self) -> bool {
        !self.status.is_finished() && self.undoing.is_none()
    }

    /// The entries that may wait: one that is undone waits for nothing.
    pub(super) fn open_entries(&self) -> &[Entry] {
        match self.undoing {
            Some(_) => &[],
            None => &self.journal,
        }
    }

    /// Where it stands, as it is told.
    pub(super) fn shown_status(&self) -> RunStatus {
        match self.undoing {
            Some(_) => RunStatus::Undoing,
            None => self.status,
        }
    }
}
