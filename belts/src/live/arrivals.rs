//! How the waits of a run that is driven hear of what has arrived for them.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Poll, Waker},
};

use super::{
    run::LiveRun,
    state::{ParkedStep, State},
    tickets::Parked,
    waits::{PlaceOf, Taken, answered, behind},
};
use crate::store::{Arrival, Entry, Wait, is_answer};

impl State {
    /// Takes the wakers of those waits that have something to decide on.
    fn waits_to_wake(&mut self) -> Vec<Waker> {
        let Self { waits, parked, .. } = self;
        let ready = |step: &&mut ParkedStep| step.seq.is_some_and(|seq| waits.next(seq).is_some());
        let parked = parked.iter_mut().filter(ready);
        parked.filter_map(|step| step.waker.take()).collect()
    }
}

/// A wait that is reached and undecided, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenWait(Arc<LiveRun>, u32);

impl Drop for OpenWait {
    fn drop(&mut self) {
        let Self(run, seq) = self;
        run.host.open_waits.fetch_sub(1, Ordering::AcqRel);
        let mut state = run.state();
        let waits = &mut state.waits;
        waits.open.remove(seq);
        let decided = if waits.is_decided(*seq) {
            waits.arrived.remove(seq)
        } else {
            waits.left.insert(*seq);
            None
        };
        // Those behind it may go on.
        let wakers = state.waits_to_wake();
        drop(state);
        drop(decided);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl LiveRun {
    /// Counts a wait that is reached and undecided.
    pub(crate) fn open_wait(self: &Arc<Self>, seq: u32, wait: &Wait) -> OpenWait {
        let Wait::Event { key, .. } = wait;
        self.host.open_waits.fetch_add(1, Ordering::AcqRel);
        let waits = &mut self.state().waits;
        waits.open.insert(seq, key.clone());
        waits.left.remove(&seq);
        OpenWait(Arc::clone(self), seq)
    }

    pub(crate) fn has_open_waits(&self) -> bool {
        self.state().waits.is_any()
    }

    /// Whether the store is to be asked what has arrived.
    pub(crate) fn asks_for_arrivals(&self) -> bool {
        self.state().waits.ask()
    }

    /// The waits that the function has dropped and for which something has arrived, looking on behind that: it would make the run due
    /// at once, again and again. With `all` the same for those that the function holds without polling them, or does not reach.
    ///
    /// An answer is recorded, though nobody asks for it now.
    pub(crate) fn pass_over(&self, all: bool) -> Vec<Entry> {
        let now = self.host.clock.now();
        let mut state = self.state();
        let State { waits, journal, .. } = &mut *state;
        let arrived = waits.arrived.iter().filter_map(|(seq, arrived)| {
            let first = arrived.events.front()?;
            let entry = waits.entry(*seq, journal)?;
            if is_answer(&first.event_type) {
                return answered(entry, first, now);
            }
            let is_passed = all || waits.left.contains(seq);
            is_passed.then(|| behind(entry, &arrived.events)).flatten()
        });
        let passed: Vec<Entry> = arrived.collect();
        for entry in &passed {
            waits.arrived.remove(&entry.seq);
        }
        passed
    }

    /// The wait of this `seq`, as it is recorded or about to be.
    pub(crate) fn wait_entry(&self, seq: u32) -> Option<Entry> {
        let state = self.state();
        state.waits.entry(seq, &state.journal).cloned()
    }

    /// The path of a wait for which something has arrived that nobody decides on.
    pub(crate) fn unheard(&self) -> Option<Arc<str>> {
        let state = self.state();
        let mut arrived = state.waits.arrived.iter();
        let (seq, _) = arrived.find(|(_, arrived)| !arrived.events.is_empty())?;
        let entry = state.waits.entry(*seq, &state.journal);
        Some(entry.map_or_else(|| Arc::from("?"), |entry| Arc::clone(&entry.path)))
    }

    /// Whether an earlier wait for the same as the wait of this `seq` is not reached yet.
    pub(crate) fn is_behind(&self, seq: u32, wait: &Wait) -> bool {
        let state = self.state();
        state.waits.is_behind(seq, wait, &state.journal)
    }

    /// Whether something has arrived for the wait of this `seq` on which it cannot decide before an earlier wait has.
    pub(crate) fn has_undecided(&self, seq: u32) -> bool {
        self.state().waits.has_undecided(seq)
    }

    /// Whether the wait of this `seq` has something to decide on.
    pub(crate) fn has_arrived(&self, seq: u32) -> bool {
        self.state().waits.next(seq).is_some()
    }

    /// The next event that the wait of this `seq` has to decide on.
    pub(crate) fn next_arrival(&self, seq: u32) -> Option<Arrival> {
        let mut state = self.state();
        state.waits.next(seq)?;
        let next = state.waits.arrived.get_mut(&seq)?.events.pop_front();
        let wakers = state.waits_to_wake();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        next
    }

    /// Takes in what the store says has arrived, and wakes those who waited for it.
    pub(crate) fn bring(&self, arrivals: Vec<Arrival>) {
        let mut state = self.state();
        state.waits.bring(arrivals);
        self.note_cancel(&mut state);
        let wakers = state.waits_to_wake();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Has the driver ask the store what has arrived.
    pub(crate) fn ask_for_arrivals(&self) {
        let mut state = self.state();
        if state.waits.is_any() {
            state.waits.asks = true;
            state.wake_driver();
        }
    }

    /// Notes that the driver asks the store now; to be given to [`answered`](Self::answered).
    pub(crate) fn begin_look(&self) -> u64 {
        let mut state = self.state();
        state.waits.looks += 1;
        state.waits.asks = false;
        state.waits.looking = true;
        state.waits.looks
    }

    /// Notes that a look was answered, and what has arrived was brought.
    pub(crate) fn answered(&self, look: u64) {
        let mut state = self.state();
        state.waits.answered = look;
        state.waits.looking = false;
        let lookers = std::mem::take(&mut state.waits.lookers);
        drop(state);
        lookers.into_iter().for_each(Waker::wake);
    }

    /// Returns once the driver has asked the store what has arrived, from now on. The caller counts as under way.
    pub(crate) async fn look_for_arrivals(&self) {
        let wanted = self.state().waits.looks + 1;
        poll_fn(|cx| {
            let mut state = self.state();
            if state.waits.answered >= wanted {
                return Poll::Ready(());
            }
            let lookers = &mut state.waits.lookers;
            if !lookers.iter().any(|looker| looker.will_wake(cx.waker())) {
                lookers.push(cx.waker().clone());
            }
            state.wake_driver();
            Poll::Pending
        })
        .await;
    }

    /// The place of the last event of this type and key that a wait of this run has taken.
    pub(crate) fn last_taken(
        &self,
        event_type: &Arc<str>,
        key: Option<&Arc<str>>,
        place_of: PlaceOf,
    ) -> Option<i64> {
        self.with_taken(event_type, key, place_of, |taken| taken.last)
    }

    /// Whether a wait of this run has taken the event at this place.
    pub(crate) fn has_taken(
        &self,
        event_type: &Arc<str>,
        key: Option<&Arc<str>>,
        place: i64,
        place_of: PlaceOf,
    ) -> bool {
        let taken = self.with_taken(event_type, key, place_of, |taken| {
            taken.places.contains(&place)
        });
        taken.unwrap_or(false)
    }

    fn with_taken<T>(
        &self,
        event_type: &Arc<str>,
        key: Option<&Arc<str>>,
        place_of: PlaceOf,
        ask: impl FnOnce(&Taken) -> T,
    ) -> Option<T> {
        let mut state = self.state();
        let State { waits, journal, .. } = &mut *state;
        let taken = waits.taken(journal, place_of);
        taken.get(&(Arc::clone(event_type), key.cloned())).map(ask)
    }

    /// Notes that a wait has taken an event. It was asked before whether another has.
    pub(crate) fn take(&self, event_type: &Arc<str>, key: Option<&Arc<str>>, place: i64) {
        let mut state = self.state();
        if let Some(taken) = &mut state.waits.taken {
            let lane = (Arc::clone(event_type), key.cloned());
            taken.entry(lane).or_default().add(place);
        }
    }
}

impl Parked {
    /// Waits for the time, or until something has arrived for this wait; whether it has.
    pub(crate) async fn wait_for_arrival(&self, seq: u32, time: impl Future<Output = ()>) -> bool {
        let mut time = pin!(self.wait(time));
        poll_fn(|cx| {
            let over = time.as_mut().poll(cx);
            if self.run().has_arrived(seq) {
                return Poll::Ready(true);
            }
            over.map(|()| false)
        })
        .await
    }
}
