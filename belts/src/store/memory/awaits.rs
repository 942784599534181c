//! Which event types anybody may wait for, in memory, and how long their events stay.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{
    lanes::{EventData, EventRow, LaneRow},
    tables::Tables,
};
use crate::store::{
    ENDED, Timestamp,
    parts::{Sight, order_by_sight},
};

/// For each awaited type, the event of the first run that may look back for it.
pub(super) type Horizons = HashMap<Arc<str>, Sight>;

impl Tables {
    /// Looks again at what the sessions await.
    pub(super) fn settle_awaits(&mut self, now: Timestamp) {
        self.drop_unawaited();
        for (function, event_type) in self.registered_awaits() {
            self.begin_to_await(function, &event_type, now);
        }
    }

    /// What a function no longer awaits stands until its runs are over.
    pub(super) fn drop_unawaited(&mut self) {
        let going_on = self.runs.values().filter(|run| !run.status.is_finished());
        let going_on: HashSet<usize> = going_on.map(|run| run.function).collect();
        let registered = self.registered_awaits();
        self.waits.awaited.retain(|event_type, functions| {
            functions.retain(|function| {
                going_on.contains(function)
                    || registered.contains(&(*function, Arc::clone(event_type)))
            });
            !functions.is_empty()
        });
    }

    fn registered_awaits(&mut self) -> BTreeSet<(usize, Arc<str>)> {
        let sessions = self.sessions.values().map(|session| &session.wants);
        let wants = sessions.chain(&self.ended);
        let all: Vec<_> = wants.map(|wants| Arc::clone(&wants.awaits)).collect();
        let mut registered = BTreeSet::new();
        for awaits in all.iter().flat_map(|awaits| awaits.iter()) {
            let function = self.function(&awaits.function_id);
            let types = awaits.event_types.iter().cloned();
            registered.extend(types.map(|event_type| (function, event_type)));
        }
        registered
    }

    /// From here on runs of the function may wait for events of this type; those that are there are given their places if nobody
    /// did so yet.
    pub(super) fn begin_to_await(
        &mut self,
        function: usize,
        event_type: &Arc<str>,
        now: Timestamp,
    ) {
        let known = self.waits.awaited.contains_key(event_type);
        let functions = self.waits.awaited.entry(Arc::clone(event_type));
        functions.or_default().insert(function);
        if known {
            return;
        }
        let placeless = |row: &&EventRow| {
            row.place.is_none() && !row.data.targeted && row.data.event_type == *event_type
        };
        let mut events: Vec<Arc<EventData>> = self
            .events
            .values()
            .filter(placeless)
            .map(|row| Arc::clone(&row.data))
            .collect();
        events.sort_unstable_by_key(|event| event.sight.number);
        order_by_sight(&mut events, |event| event.sight);
        for event in events {
            self.show_or_delay(&event, now);
        }
    }

    /// Shows an event of an awaited type, or keeps it until its time; whether anybody waits for it.
    pub(super) fn show_or_delay(&mut self, event: &Arc<EventData>, now: Timestamp) -> bool {
        match event.sight.due_at.filter(|due_at| *due_at > now) {
            None => self.show(event, now),
            Some(due_at) => {
                let place = (due_at, event.sight.number);
                self.waits.delayed.insert(place, Arc::clone(event));
                false
            }
        }
    }

    /// From where on events of each awaited type must stay.
    pub(super) fn horizons(&self) -> Horizons {
        let awaiting = self.awaiting_functions();
        let mut first: HashMap<usize, Sight> = HashMap::new();
        let looking = self.runs.values().filter(|run| !run.status.is_finished());
        for run in looking.filter(|run| awaiting.contains(&run.function)) {
            let sight = run.event.sight;
            let earliest = first.entry(run.function).or_insert(sight);
            if sight.precedes(earliest) {
                *earliest = sight;
            }
        }
        let of_type = |functions: &BTreeSet<usize>| {
            let firsts = functions.iter().filter_map(|function| first.get(function));
            firsts
                .copied()
                .reduce(|a, b| if b.precedes(&a) { b } else { a })
        };
        let awaited = self.waits.awaited.iter();
        awaited
            .filter_map(|(event_type, functions)| {
                Some((Arc::clone(event_type), of_type(functions)?))
            })
            .collect()
    }

    /// Whether a run that has not finished could still look back to an event, or wait for it to fall due.
    pub(super) fn is_looked_back_to(&self, event: &EventData, horizons: &Horizons) -> bool {
        let delayed = event
            .sight
            .due_at
            .map(|due_at| (due_at, event.sight.number));
        let to_come = delayed.is_some_and(|place| self.waits.delayed.contains_key(&place));
        let horizon = horizons.get(&event.event_type).filter(|_| !event.targeted);
        // Whatever the clocks say, what a run has started ended after it.
        let is_behind = |start: &Sight| match &*event.event_type {
            ENDED => event.sight.number > start.number,
            _ => !event.sight.precedes(start),
        };
        to_come || horizon.is_some_and(is_behind)
    }

    /// Forgets an event that nobody needs.
    pub(super) fn remove_event(&mut self, id: &str) {
        let Some(row) = self.events.remove(id) else {
            return;
        };
        forget_told(&mut self.told, &row.data);
        let lane = row.data.lane();
        if let (Some(place), Some(lane)) = (row.place, self.waits.lanes.get_mut(&lane)) {
            lane.log.remove(&place);
        }
        if self.waits.lanes.get(&lane).is_some_and(LaneRow::is_empty) {
            self.waits.lanes.remove(&lane);
        }
    }
}

/// An event that told of the end of a run is gone.
fn forget_told(told: &mut HashMap<Arc<str>, Vec<Arc<str>>>, event: &EventData) {
    let key = event.key.as_ref().filter(|_| *event.event_type == *ENDED);
    if let Some(run_id) = key
        && let Some(of_run) = told.get_mut(run_id)
    {
        of_run.retain(|id| *id != event.id);
        if of_run.is_empty() {
            told.remove(run_id);
        }
    }
}
