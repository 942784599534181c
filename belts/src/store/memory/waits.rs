//! The waits of runs in memory: how entries open and close them, and what arrives for them.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{
    lanes::{EventData, Waits, open_wait},
    tables::{Run, Tables},
};
use crate::store::{
    Arrival, Entry, Lease, RunStatus, StepKind, Timestamp, Wait, parts::MAX_ARRIVED_BYTES,
};

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

    /// Shows the delayed events that fell due until then; whether anybody waits for one.
    pub(super) fn show_due(&mut self, until: Timestamp, now: Timestamp) -> bool {
        let mut awaited = false;
        while let Some(first) = self.waits.delayed.first_entry()
            && first.key().0 <= until
        {
            let event = first.remove();
            awaited |= self.show(&event, now);
        }
        awaited
    }

    /// Whether something has arrived for an open wait of a run.
    pub(super) fn has_arrivals(&self, number: i64) -> bool {
        let run = &self.runs[&number];
        run.open_entries()
            .iter()
            .any(|entry| !self.waits.candidates(&run.event, entry).is_empty())
    }

    /// What has arrived for the open waits of a run: the first for each, and more as far as there is room.
    pub(super) fn arrivals(&self, run: &Run, room: &mut usize) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for entry in run.open_entries() {
            for (nth, (place, event)) in self
                .waits
                .candidates(&run.event, entry)
                .into_iter()
                .enumerate()
            {
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
        let first = run.open_entries().iter().filter_map(|entry| {
            let candidates = self.waits.candidates(&run.event, entry);
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
        let (function, start) = (run.function, run.event.sight.of_run(run.started_at));
        let Wait::Event { types, key } = wait;
        for awaited in types.iter() {
            self.begin_to_await(function, &awaited.event_type, now);
        }
        self.show_due(now, now);
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

    /// Opens the waits of a run again, which goes on after its end. Their types may have been awaited by nobody since.
    pub(super) fn open_waits(&mut self, number: i64, now: Timestamp) {
        let Some(function) = self.runs.get(&number).map(|run| run.function) else {
            return;
        };
        for entry in self.waiting_entries(number) {
            for lane in open_wait(&entry).into_iter().flat_map(Waits::lanes_of) {
                self.begin_to_await(function, &lane.event_type, now);
            }
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
