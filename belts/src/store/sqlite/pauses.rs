//! Functions of which nothing is claimed.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, params};

use super::{error::Fault, tx::Tx};
use crate::store::Timestamp;

/// Since when functions are paused, by their numbers.
pub(super) fn paused(connection: &Connection) -> Result<BTreeMap<i64, Timestamp>, Fault> {
    let mut statement = connection.prepare_cached("SELECT function, paused_at FROM paused")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

impl Tx<'_> {
    /// Pauses a function; whether it was not paused before.
    pub(super) fn pause(&mut self, function_id: &str, now: Timestamp) -> Result<bool, Fault> {
        let function = self.names.number(&Arc::from(function_id))?;
        self.recall.paused = None;
        let paused = self.execute(
            "INSERT INTO paused (function, paused_at) VALUES (?1, ?2) ON CONFLICT (function) DO NOTHING",
            params![function, now.as_millis()],
        )?;
        Ok(paused > 0)
    }

    /// Ends the pause of a function; whether there was one.
    pub(super) fn resume(&mut self, function_id: &str) -> Result<bool, Fault> {
        let Some(function) = self.names.find(function_id)? else {
            return Ok(false);
        };
        self.recall.paused = None;
        let resumed =
            self.execute("DELETE FROM paused WHERE function = ?1", params![function])? > 0;
        self.wakes |= resumed;
        Ok(resumed)
    }

    /// The functions that are paused now. A claim asks this each time; see [`heed_clock`](Self::heed_clock) for why it does not look
    /// whether others have committed.
    pub(super) fn paused_now(&self) -> Result<HashSet<i64>, Fault> {
        Ok(paused(self.connection)?.into_keys().collect())
    }

    /// Whether a function is paused, as a publish asks, which has mostly looked already.
    pub(super) fn is_paused(&mut self, function: i64) -> Result<bool, Fault> {
        self.look()?;
        if self.recall.paused.is_none() {
            self.recall.paused = Some(self.paused_now()?);
        }
        let paused = self.recall.paused.as_ref();
        Ok(paused.is_some_and(|paused| paused.contains(&function)))
    }
}
