//! A run that is undone: its function is replayed against its journal, to hear how its steps are undone.
//!
//! What is recorded comes back in the order in which it was recorded: an outcome is handed out only once the function has gone as far as
//! it can without it. So whatever the function did side by side, in whatever futures it has dropped since, it reaches every step again
//! before the failure that made it leave. What is not recorded never comes, so no step is begun.

use std::{future::pending, sync::Arc};

use super::{
    replay::{Turn, Undo, Waiting, winner_of},
    run::LiveRun,
};
use crate::{
    codec,
    error::Error,
    run::{Before, Decision, Statuses, is_under, times_undone, undo_path},
    store::{Entry, StepKind, StepState},
};

impl LiveRun {
    /// Whether it is driven only to be undone.
    pub(crate) fn is_undoing(&self) -> bool {
        self.replay.is_some()
    }

    /// Whether its function is replayed alone: nothing that it does outside of its steps is recorded.
    pub(crate) fn is_replayed(&self) -> bool {
        self.is_undoing() || self.is_rehearsed()
    }

    /// Says how the step of this path is undone, if it is replayed for that.
    pub(crate) fn offer_undo(&self, path: &Arc<str>, undo: Box<dyn Undo>) {
        if let Some(replay) = &self.replay {
            replay.known().undos.insert(Arc::clone(path), undo);
        }
    }

    /// Returns what the journal says of a step of a run that is undone when its turn has come; never if it says nothing.
    pub(crate) async fn replayed(&self, path: &Arc<str>, decision: Decision) -> Decision {
        let Some(replay) = &self.replay else {
            return decision;
        };
        let Some(entry) = self.entry_at(path) else {
            return pending().await;
        };
        let is_over = match (&decision, entry.kind) {
            // Its arms are what is replayed. It is over behind them.
            (Decision::Replay { .. } | Decision::Resume { .. }, StepKind::Race) => return decision,
            (Decision::Replay { .. }, _) => true,
            // That a sleep is over is not recorded.
            (Decision::Resume { due_at, .. }, StepKind::Sleep) => *due_at <= self.host.clock.now(),
            _ => false,
        };
        if !is_over || self.was_closed(&entry) {
            return pending().await;
        }
        replay.known().reached.insert(Arc::clone(path));
        let turn = Turn::of(&entry);
        let waiting = Waiting {
            replay,
            turn,
            id: None,
        };
        waiting.await;
        decision
    }

    /// Returns when the turn of a decided race has come, whose arms are behind it by then; never for another.
    pub(crate) async fn race_replayed(&self, path: &str) {
        let entry = self.entry_at(path);
        let decided = entry.filter(|entry| entry.state == StepState::Completed);
        let (Some(replay), Some(entry)) = (&self.replay, decided) else {
            return pending().await;
        };
        let turn = Turn::of(&entry);
        let waiting = Waiting {
            replay,
            turn,
            id: None,
        };
        waiting.await;
    }

    /// Whether it is a wait that was closed since its arm lost a race: nothing has come of it, and nothing came after it.
    fn was_closed(&self, entry: &Entry) -> bool {
        if !entry.kind.is_wait() {
            return false;
        }
        let state = self.state();
        state.journal.entries().iter().any(|race| {
            let decided = race.kind == StepKind::Race && race.state == StepState::Completed;
            decided
                && race.finished_at == entry.finished_at
                && is_under(&entry.path, &race.path)
                && !winner_of(race)
                    .is_some_and(|arm| is_under(&entry.path, &arm) || entry.path == arm)
        })
    }

    /// What the journal has under this path.
    pub(super) fn recorded_at(&self, path: &str) -> Option<Entry> {
        self.entry_at(path)
    }

    fn entry_at(&self, path: &str) -> Option<Entry> {
        self.state().journal.entry_at(path).cloned()
    }

    /// The completed entries that are to be undone, as the journal had them.
    pub(crate) fn undoables(&self) -> Vec<Entry> {
        let state = self.state();
        let entries = state.journal.entries().iter();
        entries.filter(|entry| entry.undoable).cloned().collect()
    }

    /// The path of what undoes this entry.
    pub(crate) fn undo_path(&self, entry: &Entry) -> Arc<str> {
        undo_path(self.state().journal.entries(), entry)
    }

    /// How often the step of this path was undone before this one was begun.
    pub(crate) fn times_undone(&self, path: &str, seq: u32) -> u32 {
        if !self.was_undone {
            return 0;
        }
        times_undone(self.state().journal.entries(), path, seq)
    }

    /// What is recorded of the undo of this path.
    pub(crate) fn undo_entry(&self, path: &str) -> Option<Entry> {
        let state = self.state();
        let mut entries = state.journal.entries().iter();
        let found = entries.find(|entry| entry.kind == StepKind::Undo && &*entry.path == path);
        found.cloned()
    }

    /// A `seq` for what undoes a step.
    pub(crate) fn undo_seq(&self) -> u32 {
        self.state().journal.take_seq()
    }

    /// Whether anything is recorded, or left to be, that is undone if the run fails or is cancelled.
    pub(crate) fn has_undoable(&self) -> bool {
        self.state().has_undoable
    }

    /// Notes that something is durable that is undone if the run fails or is cancelled.
    pub(crate) fn undoable_is_durable(&self) {
        self.state().has_durable_undoable = true;
    }

    /// Notes that nothing of what was left to be recorded will be.
    pub(crate) fn forget_what_is_not_durable(&self) {
        let mut state = self.state();
        state.has_undoable = state.has_durable_undoable;
    }

    /// Whether the function has reached the step of this path.
    pub(crate) fn has_reached(&self, path: &str) -> bool {
        self.state().journal.has_reached(path)
    }

    /// Whether the journal has more than what the engine keeps for itself.
    pub(crate) fn has_recorded_steps(&self) -> bool {
        self.state().journal.entries().iter().any(Entry::is_shown)
    }

    /// Prepares for another replay of the function.
    pub(crate) fn replay_anew(&self) {
        let mut state = self.state();
        state.journal.forget_reached();
        state.statuses = Statuses::of(state.journal.entries());
        state.before = Before::all(state.journal.entries());
    }

    /// The steps of which nobody knows whether they have happened, although the function wants to know.
    pub(crate) fn unknown_steps(&self) -> Vec<Entry> {
        let state = self.state();
        let entries = state.journal.entries().iter();
        let is_unknown = |entry: &&Entry| {
            let waits = entry.kind == StepKind::Step && entry.state == StepState::Waiting;
            waits && codec::begins(&entry.value).is_some_and(|begins| begins.open)
        };
        entries.filter(is_unknown).cloned().collect()
    }

    /// What undoes a step and was begun, and is not over.
    pub(crate) fn undo_under_way(&self) -> Option<Entry> {
        let state = self.state();
        let entries = state.journal.entries().iter();
        let under_way = entries
            .filter(|entry| entry.kind == StepKind::Undo && entry.state == StepState::Waiting);
        under_way.max_by_key(|entry| entry.seq).cloned()
    }

    /// Notes that a recorded step can be undone since the code says how, which it did not when the step was recorded.
    pub(crate) fn make_undoable(&self, path: &str) {
        let Some(entry) = self.entry_at(path) else {
            return;
        };
        if entry.state == StepState::Completed && !entry.undoable && !self.is_rehearsed() {
            let mut state = self.state();
            state.leave(entry.with_undoable(true), false);
            state.wake_driver();
        }
    }

    /// A recorded failure with the step that failed, if it is that of one.
    pub(crate) fn with_failed_step(&self, error: Error) -> Error {
        let text = error.to_string();
        let state = self.state();
        let mut entries = state.journal.entries().iter();
        let failed = entries.find(|entry| {
            entry.state == StepState::Failed && text == format!("step `{}` failed", entry.path)
        });
        match failed.map(|entry| Arc::clone(&entry.path)) {
            Some(path) => error.with_step(&path),
            None => error,
        }
    }

    /// Takes what has ended the attempt behind the back of the function.
    pub(crate) fn take_violation(&self) -> Option<Error> {
        self.state().violation.take()
    }
}
