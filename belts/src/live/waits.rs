//! What has arrived for the waits of a run while it is driven, and which events its waits have taken.
//!
//! Waits side by side for one type and key take in the order in which they were recorded: an arrival is left alone as long as an
//! earlier one of them, which the function has reached, has something to decide that is no later.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Poll, Waker},
};

use super::{
    run::{LiveRun, ParkedStep, State},
    tickets::Parked,
};
use crate::{
    run::Journal,
    store::{After, Arrival, AwaitedType, Entry, StepState, Wait},
};

/// An event type and a correlation key.
type Lane = (Arc<str>, Option<Arc<str>>);

/// The waits of a run while it is driven.
#[derive(Default)]
pub(super) struct Waits {
    /// Of each wait by its `seq`.
    arrived: HashMap<u32, Arrived>,
    /// Which events of each type and key waits of this run have taken; `None` until somebody asks.
    taken: Option<HashMap<Lane, Taken>>,
    /// The waits that are reached and undecided, with the key that they wait for.
    open: BTreeMap<u32, Option<Arc<str>>>,
    /// Those that the function has dropped undecided.
    left: BTreeSet<u32>,
    /// What each wait has last left to be recorded in this drive; `None` if that was its end.
    noted: BTreeMap<u32, Option<Entry>>,
    /// Who waits for a look at the store.
    lookers: Vec<Waker>,
    /// Whether something may have arrived of which nobody here knows.
    asks: bool,
    /// Whether the store is being asked.
    looking: bool,
    /// How many looks have begun, and which of them was answered last.
    looks: u64,
    answered: u64,
}

#[derive(Default)]
struct Arrived {
    events: VecDeque<Arrival>,
    /// The place of the last that was brought.
    last: i64,
}

/// The places of events that were taken.
#[derive(Default)]
struct Taken {
    places: HashSet<i64>,
    last: i64,
}

impl Taken {
    fn add(&mut self, place: i64) {
        self.places.insert(place);
        self.last = place.max(self.last);
    }
}

impl Waits {
    pub(super) fn new(arrivals: Vec<Arrival>) -> Self {
        let mut waits = Self::default();
        waits.bring(arrivals);
        waits
    }

    /// Whether the store is to be asked what has arrived.
    pub(super) fn ask(&self) -> bool {
        !self.looking && (self.asks || !self.lookers.is_empty())
    }

    /// Whether something has arrived for this wait that is not decided on.
    fn has_undecided(&self, seq: u32) -> bool {
        let arrived = self.arrived.get(&seq);
        arrived.is_some_and(|arrived| !arrived.events.is_empty())
    }

    /// Takes note of what a wait leaves to be recorded.
    pub(super) fn note(&mut self, entry: &Entry) {
        let waits = entry.state == StepState::Waiting;
        self.noted.insert(entry.seq, waits.then(|| entry.clone()));
    }

    /// The waits that are recorded, or about to be, and undecided, whether the function has reached them or not.
    pub(super) fn undecided<'a>(&'a self, journal: &'a Journal) -> impl Iterator<Item = &'a Entry> {
        let recorded = journal
            .open_waits()
            .filter(|entry| !self.noted.contains_key(&entry.seq));
        recorded.chain(self.noted.values().flatten())
    }

    /// A wait as it is recorded, or about to be.
    fn entry<'a>(&'a self, seq: u32, journal: &'a Journal) -> Option<&'a Entry> {
        match self.noted.get(&seq) {
            Some(noted) => noted.as_ref(),
            None => journal.entry(seq),
        }
    }

    /// Whether a wait was decided in this drive. What an answer brings for it comes too late.
    fn is_decided(&self, seq: u32) -> bool {
        matches!(self.noted.get(&seq), Some(None))
    }

    /// Drops what has arrived for a wait that nobody decides any more.
    pub(super) fn forget(&mut self, seq: u32) {
        self.arrived.remove(&seq);
    }

    /// Takes in what is not there already.
    fn bring(&mut self, arrivals: Vec<Arrival>) {
        for arrival in arrivals {
            if self.is_decided(arrival.seq) {
                continue;
            }
            let arrived = self.arrived.entry(arrival.seq).or_default();
            if arrival.place > arrived.last {
                arrived.last = arrival.place;
                arrived.events.push_back(arrival);
            }
        }
    }

    /// The next event that this wait has to decide on.
    fn next(&self, seq: u32) -> Option<&Arrival> {
        let next = self.arrived.get(&seq)?.events.front()?;
        let key = self.open.get(&seq);
        let mut earlier = self.open.range(..seq);
        let is_first = !earlier.any(|(other, of)| {
            let events = self
                .arrived
                .get(other)
                .into_iter()
                .flat_map(|arrived| &arrived.events);
            let mut same = events.filter(|event| event.event_type == next.event_type);
            Some(of) == key && same.any(|event| event.place <= next.place)
        });
        is_first.then_some(next)
    }
}

impl State {
    /// Takes the wakers of those waits that have something to decide on.
    fn waits_to_wake(&mut self) -> Vec<Waker> {
        let Self { waits, parked, .. } = self;
        let ready = |step: &&mut ParkedStep| step.seq.is_some_and(|seq| waits.next(seq).is_some());
        let parked = parked.iter_mut().filter(ready);
        parked.filter_map(|step| step.waker.take()).collect()
    }
}

/// A recorded wait, looking on behind these events.
fn behind(entry: &Entry, events: &VecDeque<Arrival>) -> Option<Entry> {
    let Wait::Event { types, key } = entry.wait.as_ref()?;
    let types = types.iter().map(|awaited| {
        let own = events
            .iter()
            .filter(|event| event.event_type == awaited.event_type);
        let last = own.map(|event| event.place).max();
        let after = last.map_or(awaited.after, After::Place);
        AwaitedType::new(Arc::clone(&awaited.event_type), after)
    });
    Some(entry.clone().with_wait(Wait::event(types, key.as_deref())))
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
        self.state().waits.open.insert(seq, key.clone());
        OpenWait(Arc::clone(self), seq)
    }

    pub(crate) fn has_open_waits(&self) -> bool {
        !self.state().waits.open.is_empty()
    }

    /// Whether the store is to be asked what has arrived.
    pub(crate) fn asks_for_arrivals(&self) -> bool {
        self.state().waits.ask()
    }

    /// The waits that the function has dropped and for which something has arrived, looking on behind that: it would make the run due
    /// at once, again and again. With `all` the same for those that the function holds without polling them, or does not reach.
    pub(crate) fn pass_over(&self, all: bool) -> Vec<Entry> {
        let mut state = self.state();
        let State { waits, journal, .. } = &mut *state;
        let arrived = waits.arrived.iter().filter(|(seq, arrived)| {
            !arrived.events.is_empty() && (all || waits.left.contains(*seq))
        });
        let passed: Vec<Entry> = arrived
            .filter_map(|(seq, arrived)| behind(waits.entry(*seq, journal)?, &arrived.events))
            .collect();
        for entry in &passed {
            waits.arrived.remove(&entry.seq);
        }
        passed
    }

    /// The path of a wait for which something has arrived that nobody decides on.
    pub(crate) fn unheard(&self) -> Option<Arc<str>> {
        let state = self.state();
        let mut arrived = state.waits.arrived.iter();
        let (seq, _) = arrived.find(|(_, arrived)| !arrived.events.is_empty())?;
        let entry = state.waits.entry(*seq, &state.journal);
        Some(entry.map_or_else(|| Arc::from("?"), |entry| Arc::clone(&entry.path)))
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
        let wakers = state.waits_to_wake();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Has the driver ask the store what has arrived.
    pub(crate) fn ask_for_arrivals(&self) {
        let mut state = self.state();
        if !state.waits.open.is_empty() {
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
        let taken = waits.taken.get_or_insert_with(|| {
            let mut taken = HashMap::<Lane, Taken>::new();
            for entry in journal.settled_waits() {
                if let (Some(Wait::Event { key, .. }), Some((event_type, place))) =
                    (&entry.wait, place_of(entry))
                {
                    taken
                        .entry((event_type, key.clone()))
                        .or_default()
                        .add(place);
                }
            }
            taken
        });
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

/// Which event a settled wait has taken, if any.
pub(crate) type PlaceOf = fn(&Entry) -> Option<(Arc<str>, i64)>;

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
