//! Runs whose time is limited.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    columns::{lossy, time},
    error::Fault,
    session::millis,
    tx::Tx,
};
use crate::store::{
    Expired, Limits, Register, Timestamp,
    parts::{Deadlines, limits_since},
};

/// When the time of the next run is over, and its number: one step in each index, which are empty where no run has limits.
fn next(connection: &Connection) -> Result<Option<(Timestamp, i64)>, Fault> {
    let found = connection
        .prepare_cached(
            "SELECT * FROM (SELECT start_by, number FROM runs
                 WHERE start_by IS NOT NULL AND started_at IS NULL AND finished_at IS NULL ORDER BY start_by LIMIT 1)
             UNION ALL
             SELECT * FROM (SELECT finish_by, number FROM runs
                 WHERE finish_by IS NOT NULL AND finished_at IS NULL ORDER BY finish_by LIMIT 1)
             ORDER BY 1 LIMIT 1",
        )?
        .query_row([], |row| {
            Ok((Timestamp::from_millis(row.get(0)?), row.get(1)?))
        })
        .optional()?;
    Ok(found)
}

/// When the time of the next run is over.
pub(super) fn next_over(connection: &Connection) -> Result<Option<Timestamp>, Fault> {
    Ok(next(connection)?.map(|(over_at, _)| over_at))
}

impl Tx<'_> {
    /// Keeps how much time runs of a new session's functions have.
    pub(super) fn limit(&mut self, request: &Register) -> Result<(), Fault> {
        for wanted in request.wanted() {
            let function = self.names.number(&wanted.function_id)?;
            let Some(limits) = request.limits_of(&wanted.function_id) else {
                self.forget_limits(function)?;
                continue;
            };
            self.execute(
                "INSERT INTO limits (function, start_within, finish_within) VALUES (?1, ?2, ?3)
                 ON CONFLICT (function) DO UPDATE SET start_within = ?2, finish_within = ?3",
                params![
                    function,
                    limits.start_within.map(millis),
                    limits.finish_within.map(millis)
                ],
            )?;
        }
        self.recall.limits = None;
        Ok(())
    }

    pub(super) fn forget_limits(&mut self, function: i64) -> Result<(), Fault> {
        self.execute("DELETE FROM limits WHERE function = ?1", params![function])?;
        self.recall.limits = None;
        Ok(())
    }

    /// The times of a new run whose event asks for `due_at`, if its function has limits. A publish has mostly looked already.
    pub(super) fn deadlines(
        &mut self,
        function: i64,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Deadlines>, Fault> {
        self.look()?;
        if self.recall.limits.is_none() {
            self.recall.limits = Some(self.limits()?);
        }
        let limits = self.recall.limits.as_ref();
        let Some(limits) = limits.and_then(|limits| limits.get(&function)).cloned() else {
            return Ok(None);
        };
        let since = limits_since(due_at, now, self.seen()?);
        Ok(Some(Deadlines::new(&limits, since)))
    }

    fn limits(&self) -> Result<HashMap<i64, Limits>, Fault> {
        let within = |millis: Option<i64>| {
            millis.map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        };
        let mut statement = self
            .connection
            .prepare_cached("SELECT function, start_within, finish_within FROM limits")?;
        let rows = statement.query_map([], |row| {
            let limits = Limits::new("")
                .with_start_within(within(row.get(1)?))
                .with_finish_within(within(row.get(2)?));
            Ok((row.get(0)?, limits))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Keeps the times of a run.
    pub(super) fn keep_deadlines(&self, number: i64, deadlines: Deadlines) -> Result<(), Fault> {
        self.execute(
            "UPDATE runs SET limits_since = ?2, start_by = ?3, finish_by = ?4 WHERE number = ?1",
            params![
                number,
                deadlines.since.as_millis(),
                deadlines.start_by.map(Timestamp::as_millis),
                deadlines.finish_by.map(Timestamp::as_millis)
            ],
        )?;
        Ok(())
    }

    /// The times of a run, and whether it has started.
    fn deadlines_of(&self, number: i64) -> Result<Option<(Deadlines, bool)>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT limits_since, start_by, finish_by, started_at IS NOT NULL FROM runs WHERE number = ?1",
        )?;
        let mut rows = statement.query(params![number])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let Some(since) = time(row, 0)? else {
            return Ok(None);
        };
        let deadlines = Deadlines::kept(since, time(row, 1)?, time(row, 2)?);
        Ok(Some((deadlines, row.get(3)?)))
    }

    /// Gives a run that goes on again its time anew.
    pub(super) fn renew_deadlines(&self, number: i64, now: Timestamp) -> Result<(), Fault> {
        match self.deadlines_of(number)? {
            Some((deadlines, _)) => self.keep_deadlines(number, deadlines.again(now)),
            None => Ok(()),
        }
    }

    /// Ends runs whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp, most: usize) -> Result<Expired, Fault> {
        let mut ended: Vec<Arc<str>> = Vec::new();
        let mut over = next(self.connection)?;
        while ended.len() < most
            && let Some((over_at, number)) = over
            && over_at <= now
        {
            let cause = self
                .deadlines_of(number)?
                .map(|(deadlines, has_started)| deadlines.cause(has_started, now));
            let id = self
                .connection
                .prepare_cached("UPDATE runs SET result = ?2 WHERE number = ?1 RETURNING id")?
                .query_row(params![number, cause.as_deref()], |row| lossy(row, 0))?;
            self.cancel_number(number, now)?;
            ended.push(id);
            over = next(self.connection)?;
        }
        Ok(Expired::new(ended).with_next(over.map(|(over_at, _)| over_at), now))
    }
}
