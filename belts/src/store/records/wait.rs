//! What a step may wait for beside a time, and what has arrived for it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, plain::plain};

/// The type of the events that complete callbacks, each with a key that follows from the callback's id. No event of a user has it.
pub(crate) const CALLBACK: &str = "belts.callback";

/// The type of the events that tell of the end of a run which another run has started, each with its run id as key. No event of a user
/// has it.
///
/// What it says is `{"status": …, "result": …}`: the status in the words of [`RunStatus`](crate::store::RunStatus), or `skipped`, or
/// `gone` where there is no such run any more; and the run's output or failure, as an envelope of [`codec`](crate::codec), or `null`.
pub const ENDED: &str = "belts.ended";

/// Whether events of this type are there for each wait for them: the answer to a callback, and the end of a run.
pub(crate) fn is_answer(event_type: &str) -> bool {
    event_type == CALLBACK || event_type == ENDED
}

/// Where a run keeps its wait for the event that cancels it. No key makes such a path.
pub(crate) const CANCEL_ON: &str = "~cancel_on";

/// What a journal entry waits for; how long, says its [`due_at`](crate::store::Entry::due_at).
///
/// ```
/// use belts::store::{After, AwaitedType, Wait};
/// let paid = Wait::event([AwaitedType::new("order-paid", After::Start)], "o-17");
/// let Wait::Event { types, key, .. } = &paid else { unreachable!() };
/// assert_eq!((&*types[0].event_type, key.as_deref()), ("order-paid", Some("o-17")));
/// assert_eq!(paid.to_string(), "event order-paid key o-17");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Wait {
    /// An event of one of these types.
    #[non_exhaustive]
    Event {
        /// The types, each with the place behind which it is looked for.
        types: Arc<[AwaitedType]>,
        /// The event's correlation key, byte for byte. `None` is an event without one.
        key: Option<Arc<str>>,
    },
}

impl Wait {
    /// Waits for an event of one of these types, with this key, or without one.
    pub fn event<'a>(
        types: impl IntoIterator<Item = AwaitedType>,
        key: impl Into<Option<&'a str>>,
    ) -> Self {
        Self::Event {
            types: types.into_iter().collect(),
            key: key.into().map(Arc::from),
        }
    }

    /// The same wait, with each type looked for behind the place that `place` gives, and never before the one where this wait's
    /// `present` form is. So each store resolves what a worker asks for.
    pub(crate) fn resolved<E>(
        &self,
        present: Option<&Self>,
        mut place: impl FnMut(&AwaitedType, Option<&str>) -> Result<i64, E>,
    ) -> Result<Self, E> {
        let Self::Event { types, key } = self;
        let resolve = |awaited: &AwaitedType| {
            let passed =
                present.and_then(|present| present.passed(&awaited.event_type, key.as_ref()));
            let place = match (awaited.after, passed) {
                (After::Place(place), passed) => passed.map_or(place, |passed| passed.max(place)),
                (_, Some(passed)) => passed,
                (_, None) => place(awaited, key.as_deref())?,
            };
            Ok(AwaitedType::new(
                Arc::clone(&awaited.event_type),
                After::Place(place),
            ))
        };
        Ok(Self::Event {
            types: types.iter().map(resolve).collect::<Result<_, E>>()?,
            key: key.clone(),
        })
    }

    /// Waits for the end of a run that this one has started. Whatever was told of that, it is found, whenever the two began.
    pub fn run(run_id: &str) -> Self {
        Self::event([AwaitedType::new(ENDED, After::Place(0))], run_id)
    }

    /// Whether it is for the end of a run.
    pub(crate) fn is_for_a_run(&self) -> bool {
        let Self::Event { types, .. } = self;
        types.iter().any(|awaited| &*awaited.event_type == ENDED)
    }

    /// The place that this wait has passed for a type, if it waits for the same key.
    fn passed(&self, event_type: &str, key: Option<&Arc<str>>) -> Option<i64> {
        let Self::Event { types, key: own } = self;
        let mut types = types.iter().filter(|_| own.as_ref() == key);
        match types
            .find(|awaited| *awaited.event_type == *event_type)?
            .after
        {
            After::Place(place) => Some(place),
            After::Start | After::Now | After::Time(_) => None,
        }
    }
}

/// As people read it: `event order-paid key o-17`, `callback`, `run 0198-17`.
impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Event { types, key } = self;
        // Its key tells nobody anything.
        if types.iter().any(|awaited| &*awaited.event_type == CALLBACK) {
            return f.write_str("callback");
        }
        if let (Some(key), true) = (key, self.is_for_a_run()) {
            return write!(f, "run {}", plain(key));
        }
        f.write_str("event ")?;
        for (place, awaited) in types.iter().enumerate() {
            let or = if place == 0 { "" } else { " or " };
            write!(f, "{or}{}", plain(&awaited.event_type))?;
        }
        match key {
            Some(key) => write!(f, " key {}", plain(key)),
            None => Ok(()),
        }
    }
}

/// An event type that is waited for, and from where on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AwaitedType {
    /// The event type.
    pub event_type: Arc<str>,
    /// Behind what its events are looked for.
    pub after: After,
}

impl AwaitedType {
    /// This type, looked for behind this.
    pub fn new(event_type: impl Into<Arc<str>>, after: After) -> Self {
        Self {
            event_type: event_type.into(),
            after,
        }
    }
}

/// Behind what a wait looks for events. A store makes a place of it when it records the wait, so that the journal has places alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum After {
    /// The event that started the run.
    Start,
    /// All that is there when the wait is recorded.
    Now,
    /// What had become visible before this time.
    Time(Timestamp),
    /// The event at this place.
    Place(i64),
}

/// An event that arrived for an open wait.
///
/// ```
/// use belts::store::Arrival;
/// let paid = Arrival::new(3, 41, "paid-17", "order-paid", *br#"{"cents":1290}"#);
/// assert_eq!((paid.seq, paid.place), (3, 41));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// The `seq` of the entry that waits.
    pub seq: u32,
    /// The event's place in the store's order of publishing.
    pub place: i64,
    /// The event's id.
    pub event_id: Arc<str>,
    /// The event's type.
    pub event_type: Arc<str>,
    /// The event as JSON, without its `type`.
    pub payload: Arc<[u8]>,
}

impl Arrival {
    /// The most events that a store brings for one wait at a time.
    pub const MOST: usize = 16;

    /// An event that arrived for the entry of this `seq`.
    pub fn new(
        seq: u32,
        place: i64,
        event_id: impl Into<Arc<str>>,
        event_type: impl Into<Arc<str>>,
        payload: impl Into<Arc<[u8]>>,
    ) -> Self {
        Self {
            seq,
            place,
            event_id: event_id.into(),
            event_type: event_type.into(),
            payload: payload.into(),
        }
    }
}
