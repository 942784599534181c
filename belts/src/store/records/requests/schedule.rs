//! Schedules, as far as a store has to know them.

use std::sync::Arc;

use super::NewEvent;
use crate::clock::Timestamp;

/// A schedule as a store keeps it. What it says is the worker's to read: the store compares versions and times.
///
/// ```
/// use belts::{Timestamp, store::ScheduleRow};
/// let row = ScheduleRow::new("tenant-7", "daily-report", *b"{}").with_due_at(Timestamp::from_millis(5));
/// assert_eq!(row.due_at, Some(Timestamp::from_millis(5)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleRow {
    /// Its name, which no other has.
    pub name: Arc<str>,
    /// The function that it starts.
    pub function_id: Arc<str>,
    /// When a worker is to look at it; never where `None`.
    pub due_at: Option<Timestamp>,
    /// Drawn by lot by whoever writes it.
    pub version: i64,
    /// What it says.
    pub value: Arc<[u8]>,
}

impl ScheduleRow {
    /// A schedule of a new version that is never looked at.
    pub fn new(
        name: impl Into<Arc<str>>,
        function_id: impl Into<Arc<str>>,
        value: impl Into<Arc<[u8]>>,
    ) -> Self {
        Self {
            name: name.into(),
            function_id: function_id.into(),
            due_at: None,
            version: fastrand::i64(1..),
            value: value.into(),
        }
    }

    /// Sets when a worker is to look at it.
    #[must_use]
    pub fn with_due_at(mut self, due_at: impl Into<Option<Timestamp>>) -> Self {
        self.due_at = due_at.into();
        self
    }
}

/// A write of one schedule, which counts only if the schedule is still of the version that was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScheduleChange {
    /// The name of the schedule.
    pub name: Arc<str>,
    /// The version that was read; `None` where there was no such schedule.
    pub read: Option<i64>,
    /// What it becomes; removed where `None`.
    pub to: Option<ScheduleRow>,
    /// What starts the runs of its ticks, each with a function and a run id as its target.
    pub starts: Vec<NewEvent>,
}

impl ScheduleChange {
    /// A new schedule.
    pub fn insert(row: ScheduleRow) -> Self {
        Self {
            name: Arc::clone(&row.name),
            read: None,
            to: Some(row),
            starts: Vec::new(),
        }
    }

    /// Writes a schedule in place of the one that was read.
    pub fn update(read: &ScheduleRow, row: ScheduleRow) -> Self {
        Self {
            name: Arc::clone(&read.name),
            read: Some(read.version),
            to: Some(row),
            starts: Vec::new(),
        }
    }

    /// Removes the schedule that was read.
    pub fn remove(read: &ScheduleRow) -> Self {
        Self {
            name: Arc::clone(&read.name),
            read: Some(read.version),
            to: None,
            starts: Vec::new(),
        }
    }

    /// Sets what starts the runs of its ticks.
    #[must_use]
    pub fn with_starts(mut self, starts: Vec<NewEvent>) -> Self {
        self.starts = starts;
        self
    }
}

/// The schedules that are due; see [`Store::due_schedules`](crate::store::Store::due_schedules).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DueSchedules {
    /// Those that are due, the longest first.
    pub due: Vec<ScheduleRow>,
    /// When the next one is due of those that are not; the longest due one that was left out, if there are more.
    pub next: Option<Timestamp>,
}

impl DueSchedules {
    /// These are due, and no other ever will be.
    pub fn new(due: Vec<ScheduleRow>) -> Self {
        Self { due, next: None }
    }

    /// Sets when the next one is due.
    #[must_use]
    pub fn with_next(mut self, next: Option<Timestamp>) -> Self {
        self.next = next;
        self
    }
}
