//! A run that is undone: its function is replayed against its journal, to hear how its steps are undone.
//!
//! What is recorded comes back in the order in which it was recorded: an outcome is handed out only once the function has gone as far as
//! it can without it. So whatever the function did side by side, in whatever futures it has dropped since, it reaches every step again
//! before the failure that made it leave. What is not recorded never comes, so no step is begun.

use std::{
    collections::{HashMap, HashSet},
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::run::LiveRun;
use crate::{
    clock::Timestamp,
    codec::{self, Decoded},
    error::{Error, Result},
    run::{Decision, is_under, join},
    step::Attempted,
    store::{Entry, StepKind, StepState},
};

/// How a step is undone.
pub(crate) trait Undo: Send {
    /// One attempt at it, with the step's result as it is recorded.
    fn attempt(&self, value: &[u8]) -> Result<UndoAttempt>;
}

/// One attempt at undoing a step.
pub(crate) type UndoAttempt = Pin<Box<dyn Future<Output = Attempted<()>> + Send>>;

/// When an outcome comes back, of several that the function waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    at: Timestamp,
    rank: Rank,
    seq: u32,
}

/// Of what was recorded within one millisecond, that comes first which lets the function go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Result,
    Failure,
    Race,
}

/// What a run that is undone knows of its replay.
#[derive(Debug, Default)]
pub(crate) struct Replay(Mutex<Known>);

#[derive(Default)]
struct Known {
    gates: Vec<Gate>,
    next_gate: u64,
    /// The entries whose outcomes have come back, in that order.
    released: Vec<u32>,
    /// The paths that the function has reached.
    reached: HashSet<Arc<str>>,
    /// How steps are undone, by path.
    undos: HashMap<Arc<str>, Box<dyn Undo>>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

/// An outcome that waits for its turn.
struct Gate {
    id: u64,
    turn: Turn,
    is_open: bool,
    waker: Option<Waker>,
}

impl Replay {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next outcome come back; whether there was one.
    pub(crate) fn release_next(&self) -> bool {
        let mut known = self.known();
        let waiting = known.gates.iter_mut().filter(|gate| !gate.is_open);
        let Some(gate) = waiting.min_by_key(|gate| gate.turn) else {
            return false;
        };
        gate.is_open = true;
        let (waker, seq) = (gate.waker.take(), gate.turn.seq);
        known.released.push(seq);
        drop(known);
        waker.into_iter().for_each(Waker::wake);
        true
    }

    /// Whether the function has reached this step.
    pub(crate) fn has_reached(&self, path: &str) -> bool {
        self.known().reached.contains(path)
    }

    /// Takes what the function has said of how this step is undone.
    pub(crate) fn take(&self, path: &str) -> Option<Box<dyn Undo>> {
        self.known().undos.remove(path)
    }

    /// Sorts what is to be undone: what came last is undone first.
    pub(crate) fn sort(&self, entries: &mut [Entry]) {
        let known = self.known();
        let places: HashMap<u32, usize> = known.released.iter().copied().zip(0..).collect();
        let order = |entry: &Entry| {
            let place = places.get(&entry.seq).copied();
            (place.unwrap_or(usize::MAX), Turn::of(entry))
        };
        entries.sort_by_key(|entry| std::cmp::Reverse(order(entry)));
    }
}

/// The path of the arm that has won a race.
fn winner_of(race: &Entry) -> Option<Arc<str>> {
    match codec::decode::<String>(&race.value) {
        Ok(Decoded::Ok(name)) => Some(join(Some(&race.path), &name)),
        _ => None,
    }
}

impl Turn {
    fn of(entry: &Entry) -> Self {
        let rank = match (entry.kind, entry.state) {
            (StepKind::Race, _) => Rank::Race,
            (_, StepState::Failed) => Rank::Failure,
            _ => Rank::Result,
        };
        let at = entry.finished_at.or(entry.due_at);
        Self {
            at: at.unwrap_or(entry.started_at),
            rank,
            seq: entry.seq,
        }
    }
}

/// Waits for the turn of an outcome.
struct Waiting<'a> {
    replay: &'a Replay,
    turn: Turn,
    id: Option<u64>,
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut known = self.replay.known();
        let Some(id) = self.id else {
            let id = known.next_gate;
            known.next_gate += 1;
            known.gates.push(Gate {
                id,
                turn: self.turn,
                is_open: false,
                waker: Some(cx.waker().clone()),
            });
            drop(known);
            self.id = Some(id);
            return Poll::Pending;
        };
        match known.gates.iter_mut().find(|gate| gate.id == id) {
            Some(gate) if !gate.is_open => {
                gate.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let gone = self.id.map(|id| {
            let mut known = self.replay.known();
            let place = known.gates.iter().position(|gate| gate.id == id);
            place.map(|place| known.gates.swap_remove(place))
        });
        drop(gone);
    }
}

impl LiveRun {
    /// Whether it is driven only to be undone.
    pub(crate) fn is_undoing(&self) -> bool {
        self.replay.is_some()
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

    fn entry_at(&self, path: &str) -> Option<Entry> {
        self.state().journal.entry_at(path).cloned()
    }

    /// The completed entries that are to be undone, as the journal had them.
    pub(crate) fn undoables(&self) -> Vec<Entry> {
        let state = self.state();
        let entries = state.journal.entries().iter();
        entries.filter(|entry| entry.undoable).cloned().collect()
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

    /// Notes that a recorded step can be undone since the code says how, which it did not when the step was recorded.
    pub(crate) fn make_undoable(&self, path: &str) {
        let Some(entry) = self.entry_at(path) else {
            return;
        };
        if entry.state == StepState::Completed && !entry.undoable {
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
