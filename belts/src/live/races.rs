//! The races of a run while it is driven: which arm has won, and what that leaves to be recorded.
//!
//! All of it is decided under the run's lock, where entries are left: the winner's own last entry, the name of the winner and the
//! ends of the losers' waits are one write.

use std::sync::{Arc, OnceLock};

use super::{run::LiveRun, state::State, tickets::Ticket};
use crate::{
    clock::Timestamp,
    codec,
    run::{Child, is_under, join},
    store::{Entry, NewEvent, StepKind, StepState},
};

/// An entry that is left to be recorded, with what is written to another run at the same time.
pub(crate) struct Left {
    pub(crate) entry: Entry,
    /// Starts the run that it calls.
    pub(crate) start: Option<NewEvent>,
    /// The run of whose end is to be heard again.
    pub(crate) watch: Option<Arc<str>>,
    /// The run that it has called, to be cancelled.
    pub(crate) cancel: Option<Arc<str>>,
    /// It is recorded already.
    pub(crate) written: bool,
}

impl Left {
    pub(crate) fn new(entry: Entry) -> Self {
        Self {
            entry,
            start: None,
            watch: None,
            cancel: None,
            written: false,
        }
    }
}

/// A race that the function has reached.
#[derive(Debug)]
pub(crate) struct Race {
    path: Arc<str>,
    arms: &'static [&'static str],
    seq: u32,
    started_at: Timestamp,
    won: OnceLock<Won>,
}

#[derive(Debug)]
struct Won {
    arm: usize,
    /// The record of it, if it is one of this drive.
    record: Option<u64>,
}

/// The races that an arm is in and that are open, each with the path of the arm.
#[derive(Debug)]
pub(super) struct Sides(Vec<(Arc<Race>, Arc<str>)>);

impl Sides {
    /// Whether a path is in another arm of one of the races.
    pub(super) fn is_against(&self, path: &str) -> bool {
        let mut sides = self.0.iter();
        sides.any(|(race, own)| is_under(path, &race.path) && !is_under(path, own))
    }
}

/// An arm of a race, in which steps are.
#[derive(Debug, Clone)]
pub(crate) struct Arm(Arc<InRace>);

#[derive(Debug)]
struct InRace {
    race: Arc<Race>,
    index: usize,
    /// Whether one step is the whole arm, so that its last entry is the end of it.
    is_one_step: bool,
    /// The arm that the race is in.
    around: Option<Arm>,
}

impl Race {
    /// A race that nobody has won.
    pub(crate) fn open(
        path: Arc<str>,
        arms: &'static [&'static str],
        seq: u32,
        started_at: Timestamp,
    ) -> Self {
        Self {
            path,
            arms,
            seq,
            started_at,
            won: OnceLock::new(),
        }
    }

    /// A race that the journal has as won by this arm.
    pub(crate) fn won_by(path: Arc<str>, arms: &'static [&'static str], arm: usize) -> Self {
        let won = Won { arm, record: None };
        Self {
            won: OnceLock::from(won),
            // Nothing of it is recorded any more.
            ..Self::open(path, arms, 0, Timestamp::from_millis(0))
        }
    }

    /// Whether this arm has won, or still may.
    pub(crate) fn is_open_to(&self, arm: usize) -> bool {
        self.won.get().is_none_or(|won| won.arm == arm)
    }

    /// Its own path.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where the steps of this arm are looked up: under the keys of the race and of the arm.
    pub(crate) fn path_of(&self, arm: usize) -> Arc<str> {
        join(Some(&self.path), self.arms[arm])
    }

    /// What is recorded when it is first reached.
    pub(crate) fn opening(&self) -> Entry {
        Entry::new(
            self.seq,
            Arc::clone(&self.path),
            StepKind::Race,
            StepState::Waiting,
            self.started_at,
        )
    }

    fn decided(&self, arm: usize, now: Timestamp) -> Entry {
        let winner = codec::encode_ok(self.arms[arm]).expect("a name can be written as JSON");
        let mut entry = self.opening().with_value("", winner).with_finished_at(now);
        entry.state = StepState::Completed;
        entry
    }
}

impl Arm {
    pub(crate) fn new(
        race: &Arc<Race>,
        index: usize,
        is_one_step: bool,
        around: Option<&Self>,
    ) -> Self {
        Self(Arc::new(InRace {
            race: Arc::clone(race),
            index,
            is_one_step,
            around: around.cloned(),
        }))
    }

    /// Whether it, or an arm around it, is in a race that nobody has won.
    pub(super) fn is_contended(&self) -> bool {
        let InRace { race, around, .. } = &*self.0;
        race.won.get().is_none() || around.as_ref().is_some_and(Self::is_contended)
    }

    pub(super) fn sides(&self) -> Sides {
        let mut sides = Vec::new();
        let mut arm = Some(self);
        while let Some(Self(inside)) = arm {
            let InRace {
                race,
                index,
                around,
                ..
            } = &**inside;
            if race.won.get().is_none() {
                sides.push((Arc::clone(race), race.path_of(*index)));
            }
            arm = around.as_ref();
        }
        Sides(sides)
    }

    /// Whether both are the same arm, or none.
    pub(crate) fn is_same(one: Option<&Self>, other: Option<&Self>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => {
                Arc::ptr_eq(&one.0.race, &other.0.race) && one.0.index == other.0.index
            }
            (None, None) => true,
            _ => false,
        }
    }

    /// Where its steps are looked up.
    pub(crate) fn path(&self) -> Arc<str> {
        self.0.race.path_of(self.0.index)
    }

    /// Whether another arm has won, of this race or of one around it.
    pub(crate) fn has_lost(&self) -> bool {
        let InRace {
            race,
            index,
            around,
            ..
        } = &*self.0;
        !race.is_open_to(*index) || around.as_ref().is_some_and(Self::has_lost)
    }
}

impl LiveRun {
    /// Leaves an entry of a step in this arm to be recorded, with a ticket that is redeemed when it is durable; `None` if the arm has lost, of which
    /// nothing is recorded any more. `last` says that the step is over with it: then an arm that is one step has won its race.
    pub(crate) fn record_in(
        &self,
        arm: Option<&Arm>,
        entry: Entry,
        awaited: bool,
        last: bool,
    ) -> Option<Ticket<'_>> {
        self.record_left(arm, Left::new(entry), awaited, last)
    }

    /// The same, with what is written to another run at the same time.
    pub(crate) fn record_left(
        &self,
        arm: Option<&Arm>,
        left: Left,
        awaited: bool,
        last: bool,
    ) -> Option<Ticket<'_>> {
        let winner = arm.filter(|arm| last && arm.0.is_one_step);
        let won_at = winner.map(|arm| (arm, self.host.clock.now()));
        let mut state = self.state();
        if arm.is_some_and(Arm::has_lost) {
            return None;
        }
        let Left {
            entry,
            start,
            watch,
            cancel,
            written,
        } = left;
        let seq = entry.seq;
        let number = state.leave(entry, awaited);
        if written {
            state.outbox.is_written(seq);
        }
        if let Some(event) = start {
            state.outbox.start(seq, event);
        }
        if let Some(run_id) = watch {
            state.outbox.watch(seq, run_id);
        }
        if let Some(run_id) = cancel {
            state.outbox.cancel(seq, &run_id);
        }
        if let Some((arm, now)) = won_at {
            state.claim(arm, false, now);
        }
        state.wake_driver();
        drop(state);
        Some(Ticket::new(self, number))
    }

    /// Notes that this arm has ended; whether it has won. The caller counts as under way.
    pub(crate) fn claim(&self, arm: &Arm) -> bool {
        let now = self.host.clock.now();
        let mut state = self.state();
        if arm.has_lost() {
            return false;
        }
        state.claim(arm, true, now);
        state.wake_driver();
        true
    }

    /// Ends the waits that the losers of a decided race have left open, as an older version may have, or a process that died between
    /// the parts of a large write.
    pub(crate) fn close_what_lost(&self, race: &Race) {
        let Some(winner) = race.won.get().map(|won| won.arm) else {
            return;
        };
        let now = self.host.clock.now();
        let mut state = self.state();
        state.close_lost_waits(race, winner, now);
        state.wake_driver();
    }

    /// Returns once it is durable who has won.
    pub(crate) async fn is_decided(&self, race: &Race) {
        if let Some(number) = race.won.get().and_then(|won| won.record) {
            Ticket::new(self, number).await;
        }
    }
}

impl State {
    /// Has this arm win, unless it has already.
    fn claim(&mut self, arm: &Arm, awaited: bool, now: Timestamp) {
        let InRace { race, index, .. } = &*arm.0;
        if race.won.get().is_some() {
            return;
        }
        let record = Some(self.leave(race.decided(*index, now), awaited));
        let won = Won {
            arm: *index,
            record,
        };
        race.won.set(won).expect("it is set under the run's lock");
        self.close_lost_waits(race, *index, now);
    }

    /// Ends the waits of the other arms, also those that the function has not reached or no longer has.
    fn close_lost_waits(&mut self, race: &Race, winner: usize, now: Timestamp) {
        let won = race.path_of(winner);
        let undecided = self.waits.undecided(&self.journal);
        let lost = undecided
            .filter(|entry| is_under(&entry.path, &race.path) && !is_under(&entry.path, &won));
        let lost: Vec<Entry> = lost.cloned().collect();
        let nothing = codec::encode_nothing();
        for entry in lost {
            let child = Child::of(&entry).filter(|_| entry.kind == StepKind::Call);
            let mut closed = entry
                .with_value("", Arc::clone(&nothing))
                .with_finished_at(now);
            closed.state = StepState::Completed;
            let seq = closed.seq;
            self.waits.forget(seq);
            self.leave(closed, false);
            if let Some(child) = child {
                self.outbox.cancel(seq, &child.run_id);
            }
        }
    }
}
