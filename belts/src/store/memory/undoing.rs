//! Runs in memory that have something to undo, or whose cancel is handled: their end is decided first, and they are driven once more
//! before it is theirs.

use super::tables::{Run, Tables};
use crate::store::{Entry, Register, RunStatus, Timestamp, Undoing};

impl Tables {
    /// Ends a run, with those that end with it, or has it undone first; whether somebody is to hear of it.
    pub(super) fn finish(&mut self, number: i64, status: RunStatus, now: Timestamp) -> bool {
        let stops = matches!(status, RunStatus::Failed | RunStatus::Cancelled);
        let is_handled = status == RunStatus::Cancelled && self.is_cancel_handled(number);
        let is_driven = |run: &Run| run.undoing.is_none() && (run.has_undoable() || is_handled);
        if stops && self.runs.get(&number).is_some_and(is_driven) {
            self.begin_undoing(number, status, now);
            return true;
        }
        self.end(number, status, now)
    }

    fn is_cancel_handled(&self, number: i64) -> bool {
        let function = self.runs.get(&number).map(|run| run.function);
        function.is_some_and(|function| self.cancel_handled.contains(&*self.functions[function].id))
    }

    /// Keeps of which functions of a new session cancels are handled.
    pub(super) fn handle_cancels(&mut self, request: &Register) {
        for wanted in request.wanted() {
            if request.handles_cancels_of(&wanted.function_id) {
                self.cancel_handled.insert(wanted.function_id);
            } else {
                self.cancel_handled.remove(&wanted.function_id);
            }
        }
    }

    fn begin_undoing(&mut self, number: i64, status: RunStatus, now: Timestamp) {
        self.close_waits(number);
        self.drop_time(number);
        if let Some(run) = self.runs.get_mut(&number) {
            run.undoing = Some(Undoing::new(status, run.result.clone()));
            run.keeps_time = true;
            run.is_unstarted = run.started_at.is_none();
            run.started_at.get_or_insert(now);
        }
        self.enqueue(number, RunStatus::Suspended, now);
        self.cancel_attached(number, now);
    }
}

impl Run {
    fn has_undoable(&self) -> bool {
        self.journal.iter().any(|entry| entry.undoable)
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
