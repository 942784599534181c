//! The replay of a run that is undone: when each recorded outcome comes back, and what the function has said of how its steps are
//! undone.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    clock::Timestamp,
    codec::{self, Decoded},
    error::Result,
    run::join,
    step::Attempted,
    store::{Entry, StepKind, StepState},
};

/// How a step is undone.
pub(crate) trait Undo: Send {
    /// One attempt at it, with the step's result as it is recorded.
    fn attempt(&self, value: &[u8]) -> Result<UndoAttempt>;

    /// The time limit of the step, which holds for each attempt at undoing it.
    fn timeout(&self) -> Option<Duration>;
}

/// One attempt at undoing a step.
pub(crate) type UndoAttempt = Pin<Box<dyn Future<Output = Attempted<()>> + Send>>;

/// When an outcome comes back, of several that the function waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
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
pub(super) struct Known {
    gates: Vec<Gate>,
    next_gate: u64,
    /// The entries whose outcomes have come back, in that order.
    released: Vec<u32>,
    /// Whether a failure is among them.
    has_failed: bool,
    /// The paths that the function has reached.
    pub(super) reached: HashSet<Arc<str>>,
    /// How steps are undone, by path.
    pub(super) undos: HashMap<Arc<str>, Box<dyn Undo>>,
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
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next outcome come back; whether there was one. With `results`, one that lets the function go on where it is.
    pub(crate) fn release_next(&self, results: bool) -> bool {
        let mut known = self.known();
        let waiting = known.gates.iter_mut().filter(|gate| {
            let is_asked_for = !results || gate.turn.rank == Rank::Result;
            !gate.is_open && is_asked_for
        });
        let Some(gate) = waiting.min_by_key(|gate| gate.turn) else {
            return false;
        };
        gate.is_open = true;
        let (waker, seq) = (gate.waker.take(), gate.turn.seq);
        let is_failure = gate.turn.rank == Rank::Failure;
        known.has_failed |= is_failure;
        if !known.released.contains(&seq) {
            known.released.push(seq);
        }
        drop(known);
        waker.into_iter().for_each(Waker::wake);
        true
    }

    /// Whether a failure has come back, which may have ended the function.
    pub(crate) fn fails(&self) -> bool {
        self.known().has_failed
    }

    /// How many outcomes wait for their turn, each with a clone of the waker of whoever wants it.
    pub(crate) fn waiting(&self) -> usize {
        let known = self.known();
        let waiting = known.gates.iter().filter(|gate| gate.waker.is_some());
        waiting.count()
    }

    /// Whether the function has said how this step is undone.
    pub(crate) fn has_undo(&self, path: &str) -> bool {
        self.known().undos.contains_key(path)
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
pub(crate) fn winner_of(race: &Entry) -> Option<Arc<str>> {
    match codec::decode::<String>(&race.value) {
        Ok(Decoded::Ok(name)) => Some(join(Some(&race.path), &name)),
        _ => None,
    }
}

impl Turn {
    pub(super) fn of(entry: &Entry) -> Self {
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
pub(super) struct Waiting<'a> {
    pub(super) replay: &'a Replay,
    pub(super) turn: Turn,
    pub(super) id: Option<u64>,
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
