//! Schedules as inspection shows them, with their next ticks.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    schedule::{Counts, Kept, LastTick, Schedule, SkippedTick},
    store::ScheduleRow,
};

/// The longest name of a schedule.
const LONGEST_NAME: usize = 200;

/// The most ticks that are shown at once.
const MOST_SHOWN: usize = 1_000;

/// A schedule, and how far it has come.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScheduleRecord {
    /// Its name.
    pub name: Arc<str>,
    /// The function that it starts.
    pub function_id: Arc<str>,
    /// When it ticks.
    pub schedule: Schedule,
    /// Whether it is in the attribute of the function.
    pub in_code: bool,
    /// Whether a running worker has the function. If none has, nothing ticks.
    pub living: bool,
    /// Since when it is paused, by itself or with its function.
    pub paused_at: Option<Timestamp>,
    /// Whether that is its function's pause alone.
    pub(crate) is_held_by_function: bool,
    /// The next tick, without its jitter.
    pub next: Option<Timestamp>,
    /// The last tick that started a run.
    pub last: Option<LastTick>,
    /// How many ticks wait for the end of a run.
    pub queued: usize,
    /// What became of its ticks so far.
    pub counts: Counts,
    /// The last ticks that started nothing, and why; the newest last.
    pub skips: Vec<SkippedTick>,
    /// What it was put with, as JSON; `None` for nothing.
    pub data: Option<Box<RawValue>>,
}

/// A tick that is to come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PlannedTick {
    /// Its moment, without the jitter.
    pub scheduled_at: Timestamp,
    /// The name of the schedule.
    pub schedule: Arc<str>,
    /// The function that it starts.
    pub function_id: Arc<str>,
}

impl ScheduleRecord {
    pub(super) fn of(row: &ScheduleRow, kept: Kept) -> Self {
        Self {
            name: Arc::clone(&row.name),
            function_id: Arc::clone(&row.function_id),
            schedule: kept.schedule,
            in_code: kept.in_code,
            living: false,
            paused_at: kept.paused_at,
            is_held_by_function: false,
            next: kept.next.filter(|_| kept.paused_at.is_none()),
            last: kept.last,
            queued: kept.queue.len(),
            counts: kept.counts,
            skips: kept.skips.into(),
            data: kept.data,
        }
    }

    /// Its next ticks, so many at most; none while it is paused.
    ///
    /// # Errors
    /// This program cannot follow the schedule.
    pub fn next(&self, count: usize) -> Result<Vec<Timestamp>> {
        let Some(first) = self.next.filter(|_| self.paused_at.is_none() && count > 0) else {
            return Ok(Vec::new());
        };
        let times = self.schedule.times()?;
        let all = std::iter::successors(Some(first), |moment| times.after(*moment));
        Ok(all.take(count.min(MOST_SHOWN)).collect())
    }
}

/// The record with what the store knows of its function.
pub(super) fn with_function(
    mut record: ScheduleRecord,
    functions: &[crate::store::FunctionRecord],
) -> ScheduleRecord {
    let function = functions
        .iter()
        .find(|known| known.function_id == record.function_id);
    if let Some(function) = function {
        record.living = function.living;
        record.is_held_by_function = record.paused_at.is_none() && function.paused_at.is_some();
        record.paused_at = record.paused_at.or(function.paused_at);
    }
    record
}

/// Whether a schedule may be put under this name, which may be the id of a function.
pub(super) fn check_name(name: &str, has_function: bool) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty"
    } else if name.len() > LONGEST_NAME {
        "is longer than 200 bytes"
    } else if name.contains(char::is_control) {
        "contains control characters"
    } else if has_function {
        "is the id of a function, under which its own schedule stands"
    } else {
        return Ok(());
    };
    let text = format!(
        "the name {name:?} of a schedule {wrong}; name it for what it is about, such as `tenant-7`"
    );
    Err(Error::new(ErrorKind::Config, text))
}
