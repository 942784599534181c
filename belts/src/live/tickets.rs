//! What step futures hold: a ticket for a record that is not durable yet, and that they are under way or wait for long.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use super::{
    outbox::Outbox,
    run::LiveRun,
    state::{ParkedStep, Place, State},
};
use crate::{
    clock::Timestamp,
    store::{Entry, StepKind, StepState},
};

impl LiveRun {
    /// As much of the outbox as is written at once.
    pub(crate) fn take_part(&self) -> Outbox {
        self.state().outbox.take_part()
    }

    pub(crate) fn take_outbox(&self) -> Outbox {
        std::mem::take(&mut self.state().outbox)
    }

    /// Whether there is anything to be recorded.
    pub(crate) fn has_outbox(&self) -> bool {
        !self.state().outbox.is_empty()
    }

    /// Says that the next `count` records are durable, and whether the run has got on with them.
    pub(crate) fn redeem(&self, count: usize, gets_on: bool) {
        if gets_on {
            self.state().statuses.go_on();
        }
        for _ in 0..count {
            let mut state = self.state();
            let waiting = state.waiting.pop_front().flatten();
            state.durable += 1;
            let watching = std::mem::take(&mut state.watching);
            drop(state);
            waiting.into_iter().chain(watching).for_each(Waker::wake);
        }
    }

    /// Returns once everything is durable that was left to be recorded so far; whether that took a write. The caller counts as under
    /// way.
    pub(super) async fn all_recorded(&self) -> bool {
        let (durable, last) = {
            let state = self.state();
            (state.durable, state.durable + state.waiting.len() as u64)
        };
        poll_fn(|cx| {
            let mut state = self.state();
            if state.durable >= last {
                return Poll::Ready(());
            }
            let watching = &mut state.watching;
            if !watching.iter().any(|known| known.will_wake(cx.waker())) {
                watching.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
        durable < last
    }

    /// Counts the caller as under way until the guard is dropped.
    pub(crate) fn activate(self: &Arc<Self>) -> Active {
        self.state().active += 1;
        Active(Arc::clone(self))
    }

    /// Counts the caller as waiting for a time until the guard is dropped.
    pub(crate) fn park(self: &Arc<Self>, until: Timestamp, place: Place) -> Parked {
        self.park_step(Some(until), None, place)
    }

    /// Counts the caller as waiting for an event, or until a time.
    pub(crate) fn park_wait(self: &Arc<Self>, until: Option<Timestamp>, seq: u32) -> Parked {
        self.park_step(until, Some(seq), Place::Anywhere)
    }

    fn park_step(
        self: &Arc<Self>,
        until: Option<Timestamp>,
        seq: Option<u32>,
        place: Place,
    ) -> Parked {
        let mut state = self.state();
        let id = state.next_parked;
        state.next_parked += 1;
        state.parked.push(ParkedStep {
            id,
            until,
            seq,
            place,
            waker: None,
        });
        state.wake_driver();
        Parked(Arc::clone(self), id)
    }
}

impl State {
    /// Leaves an entry to be recorded; its place among all records of this drive.
    ///
    /// What ends something whose beginning is still to be recorded takes the place of that, as do a heartbeat and a status of the one
    /// before: a store is not told both at once.
    pub(super) fn leave(&mut self, entry: Entry, awaited: bool) -> u64 {
        if entry.kind.is_wait() {
            self.waits.note(&entry);
        }
        let replaces = match entry.kind {
            StepKind::Wait | StepKind::Race | StepKind::Call => entry.state != StepState::Waiting,
            StepKind::Step | StepKind::Undo => {
                !self.replaceable.is_empty() && self.replaceable.contains(&entry.seq)
            }
            StepKind::Status => true,
            StepKind::Sleep | StepKind::Callback | StepKind::Start => false,
        };
        self.note_left(&entry);
        self.has_undoable |= entry.undoable;
        let begun = if replaces {
            self.outbox.place_of(entry.seq)
        } else {
            None
        };
        if let Some(place) = begun {
            // It says what it was set behind, so it is not to be durable before that.
            let place = if entry.kind == StepKind::Status {
                self.outbox.move_to_end(place)
            } else {
                place
            };
            let written = self.waiting.len() - self.outbox.entries.len();
            self.outbox.replace(place, entry, awaited);
            return self.durable + (written + place) as u64;
        }
        self.outbox.push(entry, awaited);
        let number = self.durable + self.waiting.len() as u64;
        self.waiting.push_back(None);
        number
    }

    fn note_left(&mut self, entry: &Entry) {
        let seq = entry.seq;
        if entry.kind == StepKind::Status
            || self.journal.entry(seq).is_some()
            || !self.begun.is_empty() && self.begun.contains(&seq)
        {
            return;
        }
        self.before.add(seq);
        if entry.state == StepState::Waiting {
            self.begun.insert(seq);
        }
    }
}

/// Waits until a record is durable; never returns if the run ends before that.
#[derive(Debug)]
#[must_use = "a ticket waits when it is awaited"]
pub(crate) struct Ticket<'a> {
    run: &'a LiveRun,
    /// The place of the record among all of this drive, from 0.
    number: u64,
}

impl<'a> Ticket<'a> {
    pub(super) fn new(run: &'a LiveRun, number: u64) -> Self {
        Self { run, number }
    }
}

impl Future for Ticket<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.run.state();
        let Some(ahead) = self.number.checked_sub(state.durable) else {
            return Poll::Ready(());
        };
        let place = usize::try_from(ahead)
            .ok()
            .and_then(|ahead| state.waiting.get_mut(ahead));
        let mut former = place.and_then(|place| place.replace(cx.waker().clone()));
        // Another ticket may have this place, since entries in front of it were moved or replaced.
        let other = former.take_if(|former| !former.will_wake(cx.waker()));
        state.watching.extend(other);
        // Whatever hangs on a waker goes without the lock.
        drop(state);
        drop(former);
        Poll::Pending
    }
}

/// A step future that is under way.
#[derive(Debug)]
pub(crate) struct Active(Arc<LiveRun>);

impl Drop for Active {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.active -= 1;
        state.wake_driver();
    }
}

/// A step future that waits for a time.
#[derive(Debug)]
pub(crate) struct Parked(Arc<LiveRun>, u64);

impl Parked {
    pub(super) fn run(&self) -> &LiveRun {
        &self.0
    }

    /// Waits for the time, with one clone of the caller's waker, where the driver sees it.
    pub(crate) async fn wait(&self, time: impl Future<Output = ()>) {
        let waker = Waker::from(Arc::new(ParkedWaker(Arc::clone(&self.0), self.1)));
        let mut time = pin!(time);
        poll_fn(|cx| {
            drop(self.0.set_parked_waker(self.1, Some(cx.waker().clone())));
            time.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await;
    }
}

impl LiveRun {
    /// The waker that was there before, to be dropped or woken without the lock.
    fn set_parked_waker(&self, id: u64, waker: Option<Waker>) -> Option<Waker> {
        let mut state = self.state();
        let parked = state.parked.iter_mut().find(|parked| parked.id == id)?;
        std::mem::replace(&mut parked.waker, waker)
    }
}

struct ParkedWaker(Arc<LiveRun>, u64);

impl Wake for ParkedWaker {
    fn wake(self: Arc<Self>) {
        if let Some(waker) = self.0.set_parked_waker(self.1, None) {
            waker.wake();
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let place = state.parked.iter().position(|parked| parked.id == self.1);
        let gone = place.map(|place| state.parked.swap_remove(place));
        drop(state);
        drop(gone);
    }
}
