//! Events in memory, and where they stand among those that waits may find: a lane for each type and key.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::store::{
    After, Arrival, AwaitedType, Entry, EventDigest, StepState, Timestamp, Wait,
    parts::{Sight, long_before},
};

pub(super) struct EventRow {
    pub(super) data: Arc<EventData>,
    /// Its place among the events of types that are awaited.
    pub(super) place: Option<i64>,
    pub(super) runs: Vec<i64>,
}

pub(super) struct EventData {
    pub(super) id: Arc<str>,
    pub(super) event_type: Arc<str>,
    pub(super) payload: Arc<[u8]>,
    pub(super) digest: EventDigest,
    pub(super) traceparent: Option<Arc<str>>,
    pub(super) key: Option<Arc<str>>,
    /// It starts one function, and no wait finds it.
    pub(super) targeted: bool,
    pub(super) sight: Sight,
}

impl EventData {
    /// The same, to be changed.
    pub(super) fn copy(&self) -> Self {
        Self {
            id: Arc::clone(&self.id),
            event_type: Arc::clone(&self.event_type),
            payload: Arc::clone(&self.payload),
            digest: self.digest,
            traceparent: self.traceparent.clone(),
            key: self.key.clone(),
            targeted: self.targeted,
            sight: self.sight,
        }
    }

    pub(super) fn lane(&self) -> Lane {
        Lane {
            event_type: Arc::clone(&self.event_type),
            key: self.key.clone(),
        }
    }
}

/// What runs wait for, and what they may find.
#[derive(Default)]
pub(super) struct Waits {
    /// The functions that may wait for events of each type. Events of other types get no place.
    pub(super) awaited: HashMap<Arc<str>, BTreeSet<usize>>,
    /// The events of each type and key that have a place, and those who wait for more.
    pub(super) lanes: HashMap<Lane, LaneRow>,
    /// The delayed events that get their place when they fall due.
    pub(super) delayed: BTreeMap<(Timestamp, i64), Arc<EventData>>,
    pub(super) last_place: i64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) event_type: Arc<str>,
    pub(super) key: Option<Arc<str>>,
}

#[derive(Default)]
pub(super) struct LaneRow {
    /// By place.
    pub(super) log: BTreeMap<i64, Arc<EventData>>,
    /// The run and the `seq` of each open wait.
    pub(super) waits: BTreeSet<(i64, u32)>,
}

impl LaneRow {
    pub(super) fn is_empty(&self) -> bool {
        self.waits.is_empty() && self.log.is_empty()
    }
}

impl Waits {
    fn log(
        &self,
        event_type: &Arc<str>,
        key: Option<&Arc<str>>,
    ) -> Option<&BTreeMap<i64, Arc<EventData>>> {
        let lane = Lane {
            event_type: Arc::clone(event_type),
            key: key.cloned(),
        };
        self.lanes.get(&lane).map(|row| &row.log)
    }

    /// The place behind which a run of this event looks.
    pub(super) fn place(
        &self,
        start: &Sight,
        awaited: &AwaitedType,
        key: Option<&Arc<str>>,
    ) -> i64 {
        let log = self.log(&awaited.event_type, key);
        let rows = || log.into_iter().flatten();
        let before = |time| {
            let visible = |(_, event): &(&i64, &Arc<EventData>)| event.sight.visible_at();
            // Nearly always the last one was long before.
            let recent = rows().rev();
            let recent = recent.take_while(|row| visible(row) >= long_before(time));
            let first = recent.filter(|row| visible(row) >= time).last();
            first.map_or(self.last_place, |(place, _)| place - 1)
        };
        let preceding = || {
            let mut behind = rows().rev();
            let last = behind.find(|(_, event)| event.sight.precedes(start));
            last.map_or(0, |(place, _)| *place)
        };
        match awaited.after {
            After::Place(place) => place,
            After::Now => self.last_place,
            After::Time(time) => before(time),
            After::Start if start.due_at.is_none() => preceding(),
            After::Start => before(start.visible_at()),
        }
    }

    /// The earliest events that this entry of a run waits for, if it does. The one that started the run is none of them.
    pub(super) fn candidates(&self, own: &EventData, entry: &Entry) -> Vec<(i64, &Arc<EventData>)> {
        let Some(Wait::Event { types, key }) = open_wait(entry) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for awaited in types.iter() {
            if let (After::Place(place), Some(log)) =
                (awaited.after, self.log(&awaited.event_type, key.as_ref()))
            {
                let behind = log.range(place.saturating_add(1)..);
                let behind = behind
                    .filter(|(_, event)| event.id != own.id)
                    .take(Arrival::MOST);
                found.extend(behind.map(|(place, event)| (*place, event)));
            }
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        found.truncate(Arrival::MOST);
        found
    }

    pub(super) fn lanes_of(wait: &Wait) -> impl Iterator<Item = Lane> {
        let Wait::Event { types, key } = wait;
        types.iter().map(|awaited| Lane {
            event_type: Arc::clone(&awaited.event_type),
            key: key.clone(),
        })
    }
}

/// What an entry waits for, if it does.
pub(super) fn open_wait(entry: &Entry) -> Option<&Wait> {
    entry
        .wait
        .as_ref()
        .filter(|_| entry.state == StepState::Waiting)
}
