//! What has arrived for the waits of a run while it is driven, and which events its waits have taken.

use std::{
    collections::{HashMap, VecDeque},
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Poll, Waker},
};

use super::{
    run::{LiveRun, State},
    tickets::Parked,
};
use crate::store::{Arrival, Entry, Wait};

/// An event type and a correlation key.
type Lane = (Arc<str>, Option<Arc<str>>);

/// The waits of a run while it is driven.
#[derive(Default)]
pub(super) struct Waits {
    /// Of each wait by its `seq`.
    arrived: HashMap<u32, Arrived>,
    /// The last event of each type and key that a wait of this run has taken, by its place; `None` until somebody asks.
    taken: Option<HashMap<Lane, i64>>,
    /// How many waits are reached and undecided.
    open: usize,
    /// Who waits for a look at the store.
    lookers: Vec<Waker>,
    /// Whether something may have arrived of which nobody here knows.
    asks: bool,
}

#[derive(Default)]
struct Arrived {
    events: VecDeque<Arrival>,
    /// The place of the last that was brought.
    last: i64,
}

impl Waits {
    pub(super) fn new(arrivals: Vec<Arrival>) -> Self {
        let mut waits = Self::default();
        waits.bring(arrivals);
        waits
    }

    /// Whether the store is to be asked what has arrived.
    pub(super) fn ask(&self) -> bool {
        self.asks || !self.lookers.is_empty()
    }

    /// Takes in what is not there already; for which waits that is.
    fn bring(&mut self, arrivals: Vec<Arrival>) -> Vec<u32> {
        let mut new = Vec::new();
        for arrival in arrivals {
            let arrived = self.arrived.entry(arrival.seq).or_default();
            if arrival.place > arrived.last {
                arrived.last = arrival.place;
                new.push(arrival.seq);
                arrived.events.push_back(arrival);
            }
        }
        new
    }

    fn has(&self, seq: u32) -> bool {
        let arrived = self.arrived.get(&seq);
        arrived.is_some_and(|arrived| !arrived.events.is_empty())
    }
}

/// A wait that is reached and undecided, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenWait(Arc<LiveRun>);

impl Drop for OpenWait {
    fn drop(&mut self) {
        self.0.state().waits.open -= 1;
    }
}

impl LiveRun {
    /// Counts a wait that is reached and undecided.
    pub(crate) fn open_wait(self: &Arc<Self>) -> OpenWait {
        self.state().waits.open += 1;
        OpenWait(Arc::clone(self))
    }

    pub(crate) fn has_open_waits(&self) -> bool {
        self.state().waits.open > 0
    }

    pub(crate) fn has_arrived(&self, seq: u32) -> bool {
        self.state().waits.has(seq)
    }

    /// The next event that has arrived for the wait of this `seq`.
    pub(crate) fn next_arrival(&self, seq: u32) -> Option<Arrival> {
        let mut state = self.state();
        state.waits.arrived.get_mut(&seq)?.events.pop_front()
    }

    /// Takes in what the store says has arrived, and wakes those who waited for it, or for the answer.
    pub(crate) fn bring(&self, arrivals: Vec<Arrival>, answered: bool) {
        let mut state = self.state();
        let new = state.waits.bring(arrivals);
        let parked = state.parked.iter_mut();
        let waiting = parked.filter(|parked| parked.seq.is_some_and(|seq| new.contains(&seq)));
        let mut wakers: Vec<Waker> = waiting.filter_map(|parked| parked.waker.take()).collect();
        if answered {
            state.waits.asks = false;
            wakers.append(&mut state.waits.lookers);
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Has the driver ask the store what has arrived.
    pub(crate) fn ask_for_arrivals(&self) {
        let mut state = self.state();
        if state.waits.open > 0 {
            state.waits.asks = true;
            state.wake_driver();
        }
    }

    /// Returns once the driver has asked the store what has arrived. The caller counts as under way.
    pub(crate) async fn look_for_arrivals(&self) {
        let mut asked = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            let mut state = self.state();
            state.waits.lookers.push(cx.waker().clone());
            state.wake_driver();
            Poll::Pending
        })
        .await;
    }

    /// The place of the last event of this type and key that a wait of this run has taken.
    pub(crate) fn taken(
        &self,
        event_type: &Arc<str>,
        key: Option<&Arc<str>>,
        place_of: fn(&Entry) -> Option<(Arc<str>, i64)>,
    ) -> Option<i64> {
        let mut state = self.state();
        let State { waits, journal, .. } = &mut *state;
        let taken = waits.taken.get_or_insert_with(|| {
            let mut taken = HashMap::new();
            for entry in journal.settled_waits() {
                if let (Some(Wait::Event { key, .. }), Some((event_type, place))) =
                    (&entry.wait, place_of(entry))
                {
                    let known = taken.entry((event_type, key.clone())).or_default();
                    *known = place.max(*known);
                }
            }
            taken
        });
        taken.get(&(Arc::clone(event_type), key.cloned())).copied()
    }

    /// Notes that a wait has taken an event. [`taken`](Self::taken) was asked before.
    pub(crate) fn take(&self, event_type: &Arc<str>, key: Option<&Arc<str>>, place: i64) {
        let mut state = self.state();
        if let Some(taken) = &mut state.waits.taken {
            let known = taken
                .entry((Arc::clone(event_type), key.cloned()))
                .or_default();
            *known = place.max(*known);
        }
    }
}

impl Parked {
    /// Waits for the time, or until something has arrived for this wait; whether it has.
    pub(crate) async fn wait_for_arrival(&self, seq: u32, time: impl Future<Output = ()>) -> bool {
        let mut time = pin!(self.wait(time));
        poll_fn(|cx| {
            let over = time.as_mut().poll(cx);
            if self.run().state().waits.has(seq) {
                return Poll::Ready(true);
            }
            over.map(|()| false)
        })
        .await
    }
}
