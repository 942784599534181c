//! Changes of schedules in memory, and those that are due.

use std::sync::Arc;

use super::tables::Tables;
use crate::store::{DueSchedules, Publish, ScheduleChange, Timestamp};

impl Tables {
    /// Writes schedules; which, and whether runs were left for others.
    pub(super) fn change_schedules(
        &mut self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> (Vec<bool>, bool) {
        let mut wakes = false;
        let written = changes.into_iter().map(|change| {
            let present = self.schedules.rows.get(&change.name).map(|row| row.version);
            let becomes = change.to.as_ref().map(|row| row.version);
            if present != change.read {
                return present == becomes;
            }
            self.schedules.put(&change.name, change.to);
            let (_, left) = self.publish(Publish::new(change.starts, now));
            wakes |= left;
            true
        });
        let written = written.collect();
        (written, wakes)
    }

    pub(super) fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> DueSchedules {
        let rows = self.schedules.due.iter();
        let mut rows = rows
            .filter_map(|(due_at, name)| Some((*due_at, self.schedules.rows.get(name)?)))
            .filter(|(_, row)| {
                functions.contains(&row.function_id) && !self.paused.contains_key(&row.function_id)
            })
            .peekable();
        let mut due = Vec::new();
        while due.len() < most
            && let Some((_, row)) = rows.next_if(|(due_at, _)| *due_at <= now)
        {
            due.push(row.clone());
        }
        DueSchedules::new(due).with_next(rows.peek().map(|(due_at, _)| *due_at))
    }
}
