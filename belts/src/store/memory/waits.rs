//! The waits of runs in memory: which are open, and which events wait to be found.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::tables::{EventData, Run, Tables};
use crate::store::{
    After, Arrival, AwaitedType, Entry, Lease, RunStatus, StepKind, StepState, Timestamp, Wait,
    parts::MAX_ARRIVED_BYTES,
};

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
    waits: BTreeSet<(i64, u32)>,
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
    fn place(&self, start: &EventData, awaited: &AwaitedType, key: Option<&Arc<str>>) -> i64 {
        let log = self.log(&awaited.event_type, key);
        let rows = || log.into_iter().flatten();
        let before = |time| {
            let first = rows().find(|(_, event)| event.sight.visible_at() >= time);
            first.map_or(self.last_place, |(place, _)| place - 1)
        };
        let preceding = || {
            let mut behind = rows().rev();
            let last = behind.find(|(_, event)| event.sight.precedes(&start.sight));
            last.map_or(0, |(place, _)| *place)
        };
        match awaited.after {
            After::Place(place) => place,
            After::Now => self.last_place,
            After::Time(time) => before(time),
            After::Start if start.sight.due_at.is_none() => preceding(),
            After::Start => before(start.sight.visible_at()),
        }
    }

    /// The earliest events that this entry of a run waits for, if it does. The one that started the run is none of them.
    fn candidates(&self, run: &Run, entry: &Entry) -> Vec<(i64, &Arc<EventData>)> {
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
                    .filter(|(_, event)| event.id != run.event.id)
                    .take(Arrival::MOST);
                found.extend(behind.map(|(place, event)| (*place, event)));
            }
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        found.truncate(Arrival::MOST);
        found
    }

    fn lanes_of(wait: &Wait) -> impl Iterator<Item = Lane> {
        let Wait::Event { types, key } = wait;
        types.iter().map(|awaited| Lane {
            event_type: Arc::clone(&awaited.event_type),
            key: key.clone(),
        })
    }
}

/// What an entry waits for, if it does.
fn open_wait(entry: &Entry) -> Option<&Wait> {
    entry
        .wait
        .as_ref()
        .filter(|_| entry.state == StepState::Waiting)
}

impl Tables {
    /// Shows an event to those who wait for it; whether there are any.
    pub(super) fn show(&mut self, event: &Arc<EventData>, now: Timestamp) -> bool {
        let Some(row) = self.events.get_mut(&event.id) else {
            return false;
        };
        self.waits.last_place += 1;
        row.place = Some(self.waits.last_place);
        let lane = self.waits.lanes.entry(event.lane()).or_default();
        lane.log.insert(self.waits.last_place, Arc::clone(event));
        let waiting: BTreeSet<i64> = lane.waits.iter().map(|(run, _)| *run).collect();
        for number in &waiting {
            let run = &self.runs[number];
            let rests = run.status == RunStatus::Suspended && !run.keeps_time;
            if rests && run.due_at.is_none_or(|due_at| now < due_at) {
                self.enqueue(*number, RunStatus::Suspended, now);
            }
        }
        !waiting.is_empty()
    }

    /// Shows the delayed events that have fallen due; whether anybody waits for one.
    pub(super) fn show_due(&mut self, now: Timestamp) -> bool {
        let mut awaited = false;
        while let Some(first) = self.waits.delayed.first_entry()
            && first.key().0 <= now
        {
            let event = first.remove();
            awaited |= self.show(&event, now);
        }
        awaited
    }

    /// Whether something has arrived for an open wait of a run.
    pub(super) fn has_arrivals(&self, number: i64) -> bool {
        let run = &self.runs[&number];
        run.journal
            .iter()
            .any(|entry| !self.waits.candidates(run, entry).is_empty())
    }

    /// What has arrived for the open waits of a run: the first for each, and more as far as there is room.
    pub(super) fn arrivals(&self, run: &Run, room: &mut usize) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for entry in &run.journal {
            for (nth, (place, event)) in self.waits.candidates(run, entry).into_iter().enumerate() {
                let bytes = if nth == 0 { 0 } else { event.payload.len() };
                let Some(left) = room.checked_sub(bytes) else {
                    break;
                };
                *room = left;
                arrivals.push(Arrival::new(
                    entry.seq,
                    place,
                    Arc::clone(&event.id),
                    Arc::clone(&event.event_type),
                    Arc::clone(&event.payload),
                ));
            }
        }
        arrivals
    }

    /// The bytes of what a claim of the run brings for its waits at least.
    pub(super) fn first_arrivals_bytes(&self, run: &Run) -> usize {
        let first = run.journal.iter().filter_map(|entry| {
            let candidates = self.waits.candidates(run, entry);
            Some(candidates.first()?.1.payload.len())
        });
        first.sum()
    }

    pub(super) fn arrived(&self, leases: &[Lease]) -> Vec<(Lease, Vec<Arrival>)> {
        let mut room = MAX_ARRIVED_BYTES;
        leases
            .iter()
            .filter(|lease| self.holds(lease))
            .map(|lease| (*lease, self.arrivals(&self.runs[&lease.run], &mut room)))
            .filter(|(_, arrivals)| !arrivals.is_empty())
            .collect()
    }

    /// Writes an entry, which opens, moves or closes a wait if it has one.
    pub(super) fn write(&mut self, number: i64, mut entry: Entry, now: Timestamp) {
        let Some(run) = self.runs.get_mut(&number) else {
            return;
        };
        if entry.wait.is_none() && entry.kind != StepKind::Wait {
            return run.write(entry);
        }
        let present = run.entry(entry.seq).cloned();
        if present
            .as_ref()
            .is_some_and(|present| entry.is_behind(present))
        {
            return;
        }
        if let Some(present) = &present {
            self.close_wait(number, present);
        }
        if let Some(wait) = open_wait(&entry) {
            entry.wait = Some(self.resolve(number, wait, present.as_ref(), now));
        }
        self.open_wait(number, &entry);
        if let Some(run) = self.runs.get_mut(&number) {
            run.write(entry);
        }
    }

    fn resolve(
        &mut self,
        number: i64,
        wait: &Wait,
        present: Option<&Entry>,
        now: Timestamp,
    ) -> Wait {
        let run = &self.runs[&number];
        let (function, start) = (run.function, Arc::clone(&run.event));
        let Wait::Event { types, key } = wait;
        for awaited in types.iter() {
            self.begin_to_await(function, &awaited.event_type, now);
        }
        self.show_due(now);
        let present = present.and_then(open_wait);
        let resolved = wait.resolved(present, |awaited, _| {
            Ok::<_, std::convert::Infallible>(self.waits.place(&start, awaited, key.as_ref()))
        });
        match resolved {
            Ok(wait) => wait,
            Err(never) => match never {},
        }
    }

    fn open_wait(&mut self, number: i64, entry: &Entry) {
        for lane in open_wait(entry).into_iter().flat_map(Waits::lanes_of) {
            let row = self.waits.lanes.entry(lane).or_default();
            row.waits.insert((number, entry.seq));
        }
    }

    fn close_wait(&mut self, number: i64, entry: &Entry) {
        for lane in open_wait(entry).into_iter().flat_map(Waits::lanes_of) {
            if let Some(row) = self.waits.lanes.get_mut(&lane) {
                row.waits.remove(&(number, entry.seq));
                if row.is_empty() {
                    self.waits.lanes.remove(&lane);
                }
            }
        }
    }

    /// Opens the waits of a run again, which goes on after its end.
    pub(super) fn open_waits(&mut self, number: i64) {
        for entry in self.waiting_entries(number) {
            self.open_wait(number, &entry);
        }
    }

    /// Closes the waits of a run that is over.
    pub(super) fn close_waits(&mut self, number: i64) {
        for entry in self.waiting_entries(number) {
            self.close_wait(number, &entry);
        }
    }

    fn waiting_entries(&self, number: i64) -> Vec<Entry> {
        let journal = self.runs.get(&number).map(|run| run.journal.iter());
        let waiting = journal.into_iter().flatten();
        waiting
            .filter(|entry| open_wait(entry).is_some())
            .cloned()
            .collect()
    }

    /// The functions of which the runs may look back, in numbers.
    pub(super) fn awaiting_functions(&self) -> HashSet<usize> {
        self.waits.awaited.values().flatten().copied().collect()
    }
}

impl EventData {
    pub(super) fn lane(&self) -> Lane {
        Lane {
            event_type: Arc::clone(&self.event_type),
            key: self.key.clone(),
        }
    }
}
