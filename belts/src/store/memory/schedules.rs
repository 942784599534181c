//! Schedules in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use crate::store::{ScheduleRow, Timestamp};

/// Schedules by name, and by when they are due.
#[derive(Default)]
pub(super) struct Schedules {
    pub(super) rows: BTreeMap<Arc<str>, ScheduleRow>,
    pub(super) due: BTreeSet<(Timestamp, Arc<str>)>,
}

impl Schedules {
    pub(super) fn put(&mut self, name: &Arc<str>, row: Option<ScheduleRow>) {
        if let Some(before) = self.rows.remove(name)
            && let Some(due_at) = before.due_at
        {
            self.due.remove(&(due_at, before.name));
        }
        if let Some(row) = row {
            if let Some(due_at) = row.due_at {
                self.due.insert((due_at, Arc::clone(name)));
            }
            self.rows.insert(Arc::clone(name), row);
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<ScheduleRow> {
        self.rows.get(name).cloned()
    }

    pub(super) fn list(&self, after: Option<&str>, most: usize) -> Vec<ScheduleRow> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.rows.range::<str, _>((from, Bound::Unbounded));
        behind.map(|(_, row)| row.clone()).take(most).collect()
    }
}
