//! What has arrived for the waits of a run while it is driven, and which events its waits have taken.
//!
//! Waits side by side for one type and key take in the order in which they were recorded: an arrival is left alone as long as an
//! earlier one of them, which the function has reached, has something to decide that is no later.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    task::Waker,
};

use crate::{
    clock::Timestamp,
    codec,
    run::{self, Child, Journal},
    store::{After, Arrival, AwaitedType, Entry, StepKind, StepState, Wait, is_answer},
};

/// An event type and a correlation key.
pub(super) type Lane = (Arc<str>, Option<Arc<str>>);

/// The waits of a run while it is driven.
#[derive(Default)]
pub(super) struct Waits {
    /// Of each wait by its `seq`.
    pub(super) arrived: HashMap<u32, Arrived>,
    /// Which events of each type and key waits of this run have taken; `None` until somebody asks.
    pub(super) taken: Option<HashMap<Lane, Taken>>,
    /// The waits that are reached and undecided, with the key that they wait for.
    pub(super) open: BTreeMap<u32, Option<Arc<str>>>,
    /// Those that the function has dropped undecided.
    pub(super) left: BTreeSet<u32>,
    /// What each wait has last left to be recorded in this drive.
    noted: BTreeMap<u32, Entry>,
    /// Who waits for a look at the store.
    pub(super) lookers: Vec<Waker>,
    /// The wait for the event that cancels the run, and what has arrived for it.
    pub(super) cancel_on: Option<u32>,
    pub(super) cancelled_by: VecDeque<Arrival>,
    /// Whether the run listens for that.
    pub(super) listens: bool,
    /// Whether something may have arrived of which nobody here knows.
    pub(super) asks: bool,
    /// Whether the store is being asked.
    pub(super) looking: bool,
    /// How many looks have begun, and which of them was answered last.
    pub(super) looks: u64,
    pub(super) answered: u64,
}

#[derive(Default)]
pub(super) struct Arrived {
    pub(super) events: VecDeque<Arrival>,
    /// The place of the last that was brought.
    last: i64,
}

/// The places of events that were taken.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) places: HashSet<i64>,
    pub(super) last: i64,
}

impl Taken {
    pub(super) fn add(&mut self, place: i64) {
        self.places.insert(place);
        self.last = place.max(self.last);
    }
}

impl Waits {
    pub(super) fn new(arrivals: Vec<Arrival>, cancel_on: Option<u32>) -> Self {
        let mut waits = Self {
            cancel_on,
            ..Self::default()
        };
        waits.bring(arrivals);
        waits
    }

    /// Whether an event is waited for, by the function or to cancel it.
    pub(super) fn is_any(&self) -> bool {
        self.listens || !self.open.is_empty()
    }

    /// Whether the store is to be asked what has arrived.
    pub(super) fn ask(&self) -> bool {
        !self.looking && (self.asks || !self.lookers.is_empty())
    }

    /// Whether something has arrived for this wait that is not decided on.
    pub(super) fn has_undecided(&self, seq: u32) -> bool {
        let arrived = self.arrived.get(&seq);
        arrived.is_some_and(|arrived| !arrived.events.is_empty())
    }

    /// Takes note of what a wait leaves to be recorded.
    pub(super) fn note(&mut self, entry: &Entry) {
        self.noted.insert(entry.seq, entry.clone());
    }

    /// The waits that are recorded, or about to be, and undecided, whether the function has reached them or not.
    pub(super) fn undecided<'a>(&'a self, journal: &'a Journal) -> impl Iterator<Item = &'a Entry> {
        let recorded = journal
            .open_waits()
            .filter(|entry| !self.noted.contains_key(&entry.seq));
        let noted = self.noted.values();
        let steps = noted.filter(|entry| entry.is_step());
        recorded.chain(steps.filter(|entry| entry.state == StepState::Waiting))
    }

    /// A wait as it is recorded, or about to be.
    pub(super) fn entry<'a>(&'a self, seq: u32, journal: &'a Journal) -> Option<&'a Entry> {
        self.noted.get(&seq).or_else(|| journal.entry(seq))
    }

    /// Whether a wait was decided in this drive. What an answer brings for it comes too late.
    pub(super) fn is_decided(&self, seq: u32) -> bool {
        let noted = self.noted.get(&seq);
        noted.is_some_and(|entry| entry.state != StepState::Waiting)
    }

    /// Drops what has arrived for a wait that nobody decides any more.
    pub(super) fn forget(&mut self, seq: u32) {
        self.arrived.remove(&seq);
    }

    /// Takes in what is not there already.
    pub(super) fn bring(&mut self, arrivals: Vec<Arrival>) {
        for arrival in arrivals {
            if self.is_decided(arrival.seq) {
                continue;
            }
            if self.cancel_on == Some(arrival.seq) {
                // It may be brought again and again until the run has ended.
                let last = self.cancelled_by.back();
                if last.is_none_or(|last| last.place < arrival.place) {
                    self.cancelled_by.push_back(arrival);
                }
                continue;
            }
            let arrived = self.arrived.entry(arrival.seq).or_default();
            if arrival.place > arrived.last {
                arrived.last = arrival.place;
                arrived.events.push_back(arrival);
            }
        }
    }

    /// The first event that has come for this wait and is not decided on, whether it may be or not.
    pub(super) fn first(&self, seq: u32) -> Option<&Arrival> {
        self.arrived.get(&seq)?.events.front()
    }

    /// Whether an earlier wait for the same is undecided, and the function has not reached it yet.
    pub(super) fn is_behind(&self, seq: u32, wait: &Wait, journal: &Journal) -> bool {
        self.undecided(journal).any(|other| {
            let is_earlier = other.seq < seq && !self.open.contains_key(&other.seq);
            is_earlier && other.wait.as_ref().is_some_and(|other| meets(other, wait))
        })
    }

    /// The next event that this wait has to decide on.
    pub(super) fn next(&self, seq: u32) -> Option<&Arrival> {
        let next = self.arrived.get(&seq)?.events.front()?;
        if is_answer(&next.event_type) {
            // It is there for each wait for it.
            return Some(next);
        }
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

    /// What waits of this run have taken, of each type and key.
    pub(super) fn taken(&mut self, journal: &Journal, place_of: PlaceOf) -> &HashMap<Lane, Taken> {
        self.taken.get_or_insert_with(|| {
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
        })
    }
}

/// Whether an event could be one for both.
fn meets(one: &Wait, other: &Wait) -> bool {
    let (
        Wait::Event { types, key },
        Wait::Event {
            types: others,
            key: of,
        },
    ) = (one, other);
    let is_shared = |one: &AwaitedType| {
        others
            .iter()
            .any(|other| one.event_type == other.event_type)
    };
    key == of && types.iter().any(is_shared)
}

/// Which event a settled wait has taken, if any.
pub(crate) type PlaceOf = fn(&Entry) -> Option<(Arc<str>, i64)>;

/// The wait for an answer, ended by it.
pub(super) fn answered(entry: &Entry, arrival: &Arrival, now: Timestamp) -> Option<Entry> {
    let mut entry = entry.clone().with_finished_at(now);
    (entry.state, entry.value) = if entry.kind == StepKind::Call {
        run::outcome(Child::of(&entry)?.ended(&arrival.payload))
    } else {
        let taken = run::Taken::of(arrival).ok()?;
        (taken.state(), codec::encode_ok(&Some(taken)).ok()?)
    };
    Some(entry)
}

/// A recorded wait, looking on behind these events.
pub(super) fn behind(entry: &Entry, events: &VecDeque<Arrival>) -> Option<Entry> {
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
