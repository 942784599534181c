//! Everything the mock knows, and the steps that change it. Nothing here waits or sends.

mod cancel;
mod finish;
mod publish;
mod start;

pub(crate) use finish::Outcome;
pub(crate) use publish::{Accepted, Endpoint, Group, Incoming, check_name};
pub(crate) use start::{Attempt, Parcel};

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tokio::time::Instant;

use super::{
    faults::{Faults, Random},
    inspect::{Answer, Counts, DeadLetter, Delivery, Request},
    lane::{Lane, Limits},
    message::{Message, Place},
    settings::Settings,
    sign::Keys,
    time::{millis, now},
};

/// So many deliveries, requests and log entries are remembered.
const HISTORY: usize = 100_000;

/// The state of a mock. A message goes through its queue, its time, its flow control and a free place, in this order.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) settings: Settings,
    pub(crate) keys: Keys,
    pub(crate) faults: Faults,
    pub(crate) stopped: bool,
    pub(crate) messages: BTreeMap<u64, Message>,
    pub(crate) ids: HashMap<String, u64>,
    pub(crate) queues: BTreeMap<String, Queue>,
    pub(crate) flows: BTreeMap<String, Lane>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) dead: BTreeMap<u64, DeadLetter>,
    pub(crate) log: VecDeque<Entry>,
    pub(crate) deliveries: VecDeque<Delivery>,
    pub(crate) requests: VecDeque<Request>,
    pub(crate) random: Random,
    /// Requests to publish since the faults were set.
    pub(crate) publications: u32,
    counts: Counts,
    /// The times at which messages are due.
    timers: BTreeSet<(Instant, u64)>,
    ready: VecDeque<u64>,
    active: usize,
    /// By what keeps others out: the message that does, and until when.
    taken: HashMap<String, (String, Instant)>,
    numbers: Numbers,
    started: Instant,
}

/// A queue with its dates.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) lane: Lane,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

/// What happened to a message.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) time: u64,
    pub(crate) state: &'static str,
    pub(crate) message: u64,
    pub(crate) next: Option<u64>,
    pub(crate) answer: Option<Result<Answer, String>>,
}

/// The last number that was given out of each kind; numbers make ids that are the same in each run of a test.
#[derive(Debug, Default)]
struct Numbers {
    message: u64,
    letter: u64,
    token: u64,
    key: u64,
}

impl Book {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            keys: settings.keys.clone(),
            random: Random(settings.seed),
            settings,
            faults: Faults::default(),
            stopped: false,
            messages: BTreeMap::new(),
            ids: HashMap::new(),
            queues: BTreeMap::new(),
            flows: BTreeMap::new(),
            groups: BTreeMap::new(),
            dead: BTreeMap::new(),
            log: VecDeque::new(),
            deliveries: VecDeque::new(),
            requests: VecDeque::new(),
            publications: 0,
            counts: Counts::default(),
            timers: BTreeSet::new(),
            ready: VecDeque::new(),
            active: 0,
            taken: HashMap::new(),
            numbers: Numbers::default(),
            started: now(),
        }
    }

    /// Milliseconds since 1970, by the mock's clock.
    pub(crate) fn clock(&self) -> u64 {
        (self.settings.clock)()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn message(&self, id: &str) -> Option<&Message> {
        self.messages.get(self.ids.get(id)?)
    }

    pub(crate) fn active(&self) -> usize {
        self.active
    }

    /// The next key becomes the current one, and there is a new next one.
    pub(crate) fn rotate(&mut self) -> Keys {
        self.numbers.key += 1;
        let new = format!("sig_rotated{:021}", self.numbers.key);
        let old_next = std::mem::replace(&mut self.keys.next, new);
        self.keys.current = old_next;
        self.keys.clone()
    }

    pub(crate) fn record(&mut self, request: Request) {
        keep(&mut self.requests, request);
    }

    /// The queue of this name, new if there was none.
    pub(crate) fn queue(&mut self, name: &str) -> &mut Queue {
        let clock = self.clock();
        self.queues.entry(name.to_owned()).or_insert_with(|| Queue {
            lane: Lane::with(Limits {
                parallelism: Some(1),
                ..Limits::default()
            }),
            created_at: clock,
            updated_at: clock,
        })
    }

    fn note(
        &mut self,
        message: u64,
        state: &'static str,
        next: Option<u64>,
        answer: Option<Result<Answer, String>>,
    ) {
        let time = self.clock();
        keep(
            &mut self.log,
            Entry {
                time,
                state,
                message,
                next,
                answer,
            },
        );
    }

    fn place(&mut self, message: u64, place: Place) {
        if let Some(message) = self.messages.get_mut(&message) {
            message.place = place;
        }
    }

    /// When a message is due, as the API tells it.
    fn due_millis(&self, due: Instant) -> u64 {
        self.clock() + millis(due.saturating_duration_since(now()))
    }
}

/// Adds to a history, and forgets its beginning where it grows too long.
fn keep<T>(history: &mut VecDeque<T>, item: T) {
    if history.len() == HISTORY {
        history.pop_front();
    }
    history.push_back(item);
}
