//! Values in memory as they are kept, and others in their place.

use std::sync::Arc;

use super::{lanes::EventData, tables::Tables};
use crate::{
    error::{Error, Result},
    store::{StoredEvent, StoredEvents, Substitute, ValueOf},
};

impl Tables {
    /// Events by the order of their numbers.
    pub(super) fn stored_events(&self, after: Option<&str>, limit: usize) -> Result<StoredEvents> {
        let after = after.map(str::parse).transpose();
        let after: i64 = after.map_err(Error::wrong_page_mark)?.unwrap_or(i64::MIN);
        let rows = self.events.values().map(|row| &row.data);
        let mut events: Vec<_> = rows.filter(|event| event.sight.number > after).collect();
        events.sort_unstable_by_key(|event| event.sight.number);
        let goes_on = events.len() > limit;
        events.truncate(limit);
        let next = events.last().map(|event| event.sight.number.to_string());
        let stored = events.iter().map(|event| {
            let EventData {
                id,
                event_type,
                payload,
                key,
                ..
            } = &***event;
            StoredEvent::new(Arc::clone(id), Arc::clone(event_type), Arc::clone(payload))
                .with_correlation_key(key.clone())
        });
        Ok(StoredEvents::new(stored.collect()).with_next(next.filter(|_| goes_on)))
    }

    /// Puts a value in the place of another; whether that was there.
    pub(super) fn substitute(&mut self, value: &Substitute) -> bool {
        let Substitute { of, from, to } = value;
        let (run_id, seq) = match of {
            ValueOf::Event(id) => return self.substitute_event(id, from, to),
            ValueOf::Result(run_id) => (run_id, None),
            ValueOf::Entry { run_id, seq } => (run_id, Some(seq)),
        };
        let number = self.run_ids.get(run_id);
        let Some(run) = number.and_then(|number| self.runs.get_mut(number)) else {
            return false;
        };
        let present = match seq {
            None => run.result.as_mut(),
            Some(seq) => {
                let mut journal = run.journal.iter_mut();
                let entry = journal.find(|entry| entry.seq == *seq);
                entry.map(|entry| &mut entry.value)
            }
        };
        match present {
            Some(present) if present == from => {
                *present = Arc::clone(to);
            }
            _ => return false,
        }
        // How it ends once it is undone is the same value.
        let undoing = run.undoing.as_mut().filter(|_| seq.is_none());
        let decided = undoing.and_then(|undoing| undoing.error.as_mut());
        if let Some(decided) = decided.filter(|decided| *decided == from) {
            *decided = Arc::clone(to);
        }
        true
    }

    fn substitute_event(&mut self, id: &Arc<str>, from: &Arc<[u8]>, to: &Arc<[u8]>) -> bool {
        let Some(row) = self
            .events
            .get_mut(id)
            .filter(|row| row.data.payload == *from)
        else {
            return false;
        };
        let old = Arc::clone(&row.data);
        let new = Arc::new(EventData {
            payload: Arc::clone(to),
            ..old.copy()
        });
        row.data = Arc::clone(&new);
        for number in &row.runs {
            if let Some(run) = self.runs.get_mut(number) {
                run.event = Arc::clone(&new);
            }
        }
        if let Some(place) = row.place
            && let Some(lane) = self.waits.lanes.get_mut(&new.lane())
            && let Some(logged) = lane.log.get_mut(&place)
        {
            *logged = Arc::clone(&new);
        }
        for delayed in self.waits.delayed.values_mut() {
            if delayed.id == new.id {
                *delayed = Arc::clone(&new);
            }
        }
        true
    }
}
