//! Schedules in SQLite.

use std::{collections::HashSet, sync::Arc};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    columns::{bytes, text, time},
    error::Fault,
    names::{Dictionary, SharedNames},
    pauses::paused,
    tx::Tx,
};
use crate::store::{DueSchedules, Publish, ScheduleChange, ScheduleRow, Timestamp};

fn read(row: &Row<'_>, dictionary: &mut Dictionary<'_>) -> Result<ScheduleRow, Fault> {
    let function = dictionary.name(row.get(1)?)?;
    let mut read = ScheduleRow::new(text(row, 0)?, function, bytes(row, 4)?);
    read.due_at = time(row, 2)?;
    read.version = row.get(3)?;
    Ok(read)
}

/// The schedules of these functions that are due: one walk along the index, as far as they are, and one step further.
pub(super) fn due(
    connection: &Connection,
    names: &SharedNames,
    functions: &[Arc<str>],
    now: Timestamp,
    most: usize,
) -> Result<DueSchedules, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut wanted = HashSet::new();
    for function in functions {
        wanted.extend(dictionary.find(function)?);
    }
    for paused in paused(connection)?.into_keys() {
        wanted.remove(&paused);
    }
    let mut statement = connection.prepare_cached(
        "SELECT name, function, due_at, version, value FROM schedules WHERE due_at IS NOT NULL ORDER BY due_at",
    )?;
    let mut rows = statement.query([])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        if !wanted.contains(&row.get(1)?) {
            continue;
        }
        let due_at = time(row, 2)?;
        if due.len() == most || due_at.is_some_and(|due_at| due_at > now) {
            return Ok(DueSchedules::new(due).with_next(due_at));
        }
        due.push(read(row, &mut dictionary)?);
    }
    Ok(DueSchedules::new(due))
}

/// Schedules in the order of their names, from behind this one.
pub(super) fn list(
    connection: &Connection,
    names: &SharedNames,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<ScheduleRow>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT name, function, due_at, version, value FROM schedules WHERE ?1 IS NULL OR name > ?1 ORDER BY name LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, most])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row, &mut dictionary)?);
    }
    Ok(all)
}

pub(super) fn one(
    connection: &Connection,
    names: &SharedNames,
    name: &str,
) -> Result<Option<ScheduleRow>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut statement = connection.prepare_cached(
        "SELECT name, function, due_at, version, value FROM schedules WHERE name = ?1",
    )?;
    let mut rows = statement.query(params![name])?;
    rows.next()?
        .map(|row| read(row, &mut dictionary))
        .transpose()
}

impl Tx<'_> {
    /// Writes schedules, each if it is of the version that was read, and starts the runs of their ticks; which.
    pub(super) fn change_schedules(
        &mut self,
        changes: &[ScheduleChange],
        now: Timestamp,
    ) -> Result<Vec<bool>, Fault> {
        let mut written = Vec::with_capacity(changes.len());
        for change in changes {
            let present: Option<i64> = self
                .connection
                .prepare_cached("SELECT version FROM schedules WHERE name = ?1")?
                .query_row(params![&*change.name], |row| row.get(0))
                .optional()?;
            if present != change.read {
                written.push(present == change.to.as_ref().map(|row| row.version));
                continue;
            }
            match &change.to {
                Some(row) => self.put_schedule(row)?,
                None => {
                    self.execute(
                        "DELETE FROM schedules WHERE name = ?1",
                        params![&*change.name],
                    )?;
                }
            }
            if !change.starts.is_empty() {
                self.publish(&Publish::new(change.starts.clone(), now))?;
            }
            written.push(true);
        }
        Ok(written)
    }

    fn put_schedule(&mut self, row: &ScheduleRow) -> Result<(), Fault> {
        let function = self.names.number(&row.function_id)?;
        self.execute(
            "INSERT INTO schedules (name, function, due_at, version, value) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO UPDATE SET function = ?2, due_at = ?3, version = ?4, value = ?5",
            params![
                &*row.name,
                function,
                row.due_at.map(Timestamp::as_millis),
                row.version,
                &*row.value
            ],
        )?;
        Ok(())
    }
}
