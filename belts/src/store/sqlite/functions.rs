//! Functions as inspection sees them: who has them, and how much of theirs is left to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    error::Fault,
    names::{Dictionary, SharedNames},
    pauses::paused,
    tx::Tx,
    wants,
};
use crate::{
    error::Error,
    store::{FunctionRecord, Purged, Timestamp},
};

/// The unfinished runs of function `?1`, at most `?2`: those that wait for a time, those in hand, those that were asked to stop, and
/// those that wait for something to arrive.
macro_rules! unfinished {
    () => {
        "SELECT number FROM (
             SELECT number FROM runs WHERE function = ?1 AND due_at IS NOT NULL
             UNION ALL SELECT number FROM runs WHERE worker IS NOT NULL AND +function = ?1
             UNION ALL SELECT number FROM runs WHERE function = ?1 AND status = 3
             UNION ALL SELECT number FROM runs WHERE function = ?1 AND looks_back IS NOT NULL AND finished_at IS NULL
                 AND +status = 2 AND due_at IS NULL AND worker IS NULL AND line_at IS NULL
             UNION ALL SELECT runs.number FROM lines CROSS JOIN runs INDEXED BY runs_line ON runs.line = lines.id
                 WHERE lines.function = ?1 AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL
         ) LIMIT ?2"
    };
}
pub(super) use unfinished;

/// Every function that somebody wants, that has unfinished runs, or that is paused.
pub(super) fn records(
    connection: &Connection,
    names: &SharedNames,
    now: Timestamp,
    most: usize,
) -> Result<Vec<FunctionRecord>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let living = wants::living_functions(connection, now)?;
    let mut functions: BTreeSet<i64> = living.iter().copied().collect();
    functions.extend(functions_with_runs(connection)?);
    let paused = paused(connection)?;
    functions.extend(paused.keys());
    let mut records: BTreeMap<Arc<str>, FunctionRecord> = BTreeMap::new();
    for subscription in wants::subscriptions(connection, names)? {
        functions.extend(dictionary.find(&subscription.function_id)?);
        let record = record(&subscription.function_id, subscription.event_types);
        records.insert(subscription.function_id, record);
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut count =
        connection.prepare_cached(concat!("SELECT count(*) FROM (", unfinished!(), ")"))?;
    for function in functions {
        let id = dictionary.name_or_unknown(function)?;
        let unfinished: i64 = count.query_row(params![function, most], |row| row.get(0))?;
        let record = records
            .entry(Arc::clone(&id))
            .or_insert_with(|| record(&id, Vec::new()));
        record.living = living.contains(&function);
        record.paused_at = paused.get(&function).copied();
        record.unfinished = usize::try_from(unfinished).unwrap_or(0);
    }
    Ok(records.into_values().collect())
}

fn record(id: &Arc<str>, event_types: Vec<Arc<str>>) -> FunctionRecord {
    FunctionRecord::new(Arc::clone(id)).with_event_types(event_types)
}

fn functions_with_runs(connection: &Connection) -> Result<BTreeSet<i64>, Fault> {
    let mut functions: BTreeSet<i64> = connection
        .prepare_cached(
            "SELECT function FROM runs WHERE worker IS NOT NULL
             UNION SELECT function FROM runs WHERE status = 3",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // One step in the index for each function.
    for next in [
        "SELECT function FROM runs WHERE due_at IS NOT NULL AND function > ?1 ORDER BY function LIMIT 1",
        "SELECT function FROM runs WHERE looks_back IS NOT NULL AND finished_at IS NULL AND function > ?1
         ORDER BY function LIMIT 1",
        "SELECT function FROM lines WHERE function > ?1 ORDER BY function LIMIT 1",
    ] {
        let mut next = connection.prepare_cached(next)?;
        let mut last = i64::MIN;
        while let Some(function) = next.query_row([last], |row| row.get(0)).optional()? {
            functions.insert(function);
            last = function;
        }
    }
    Ok(functions)
}

impl Tx<'_> {
    /// Cancels unfinished runs of a function that nobody has.
    pub(super) fn forget_function(
        &mut self,
        function_id: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Result<Purged, Error>, Fault> {
        let Some(function) = self.names.find(function_id)? else {
            return Ok(Ok(Purged::default()));
        };
        if wants::living_functions(self.connection, now)?.contains(&function) {
            return Ok(Err(Error::function_in_use(function_id)));
        }
        self.adopt_earlier_sessions()?;
        // They are silent.
        self.end_sessions_with(function, now)?;
        self.forget_wants(function)?;
        self.settle_wants(now)?;
        self.resume(function_id)?;
        self.forget_limits(function)?;
        self.forget_handled(function)?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let unfinished: Vec<i64> = self
            .connection
            .prepare_cached(unfinished!())?
            .query_map(params![function, most], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for number in unfinished.iter().take(limit) {
            // It may have ended with one before it.
            if self.goes_on(*number)? {
                // Nobody has its code, to undo anything.
                self.abandon(*number, now)?;
            }
        }
        if unfinished.len() <= limit {
            self.execute("DELETE FROM lines WHERE function = ?1", [function])?;
        }
        self.wakes = true;
        Ok(Ok(
            Purged::new(unfinished.len().min(limit)).with_more(unfinished.len() > limit)
        ))
    }
}
