//! What a run's step futures and its driver share under its lock.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    task::Waker,
};

use super::{outbox::Outbox, pulse::Pulse, waits::Waits};
use crate::{
    clock::{Clock, Timestamp},
    error::Error,
    run::{Before, Journal, Statuses},
    store::Tag,
};

#[derive(Default)]
pub(super) struct State {
    pub(super) journal: Journal,
    pub(super) outbox: Outbox,
    pub(super) statuses: Statuses,
    /// The tags of the run, and whether each is durable; from when they are known.
    pub(super) tags: BTreeMap<Tag, bool>,
    pub(super) knows_tags: bool,
    /// What is recorded, or left to be, but for the status.
    pub(super) before: Before,
    /// What of that was begun in this drive, by `seq`, and may be left again.
    pub(super) begun: HashSet<u32>,
    /// The heartbeats of attempts that are under way.
    pub(super) pulses: Vec<Pulse>,
    /// What may be left again before it is written, by `seq`: a store is told only the last.
    pub(super) replaceable: HashSet<u32>,
    /// How many records are durable. They become so in the order in which they were left.
    pub(super) durable: u64,
    /// Who waits for each of the records that are not.
    pub(super) waiting: VecDeque<Option<Waker>>,
    /// Who waits until the last of them is.
    pub(super) watching: Vec<Waker>,
    /// Step futures that execute, wait in memory, or wait for their record.
    pub(super) active: usize,
    /// Steps that wait for a time too far away to stay in memory, or for a clock that a test moves.
    pub(super) parked: Vec<ParkedStep>,
    pub(super) next_parked: u64,
    pub(super) waits: Waits,
    /// Whether anything is recorded, or left to be, that is undone if the run fails or is cancelled.
    pub(super) has_undoable: bool,
    /// Whether anything of that is durable.
    pub(super) has_durable_undoable: bool,
    pub(super) violation: Option<Error>,
    /// Steps that begin only once the lease is known to stand.
    pub(super) unsure: Vec<Waker>,
    pub(super) driver: Option<Waker>,
}

/// Where a run may be while one of its steps waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the store alone.
    Anywhere,
    /// In memory, since the wait is short; a clock that skips sleeps may be moved.
    InMemory,
}

/// A step that waits for a time or for an event, and who is woken for it then.
pub(super) struct ParkedStep {
    pub(super) id: u64,
    pub(super) until: Option<Timestamp>,
    /// Of a wait for an event.
    pub(super) seq: Option<u32>,
    pub(super) place: Place,
    pub(super) waker: Option<Waker>,
}

impl State {
    /// How many steps wait in memory for a clock that a test moves.
    pub(super) fn waits_in_memory(&self) -> usize {
        let in_memory = |parked: &&ParkedStep| parked.place == Place::InMemory;
        self.parked.iter().filter(in_memory).count()
    }

    /// The next moment that a parked step waits for, if one of them waits in memory.
    pub(super) fn next_moment(&self, clock: &dyn Clock) -> Option<Timestamp> {
        if self.waits_in_memory() == 0 {
            return None;
        }
        let now = clock.now();
        let moments = self.parked.iter().filter_map(|parked| parked.until);
        moments.filter(|moment| *moment > now).min()
    }

    pub(super) fn end(&mut self, error: Error) {
        self.violation.get_or_insert(error);
        self.wake_driver();
    }

    pub(super) fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }
}
