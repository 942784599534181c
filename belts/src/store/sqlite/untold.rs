//! Events of processes of an earlier version, which give them no place: the next claim does.

use rusqlite::params;

use super::{error::Fault, tx::Tx};
use crate::store::Timestamp;

/// How many one transaction looks at.
const MOST: i64 = 256;

/// An event that an earlier version published. Its delay and its target are not known here: it counts as a plain one.
struct Untold {
    number: i64,
    event_type: i64,
    key: Option<String>,
}

impl Tx<'_> {
    /// Gives places to what earlier versions have published since the last look. Another process has to have committed for there to
    /// be anything, so this costs nothing where none has.
    pub(super) fn tell(&mut self, now: Timestamp) -> Result<(), Fault> {
        if self.recall.told {
            return Ok(());
        }
        let untold = self.untold()?;
        for event in &untold {
            if !self.awaited()?.has_type(event.event_type) {
                continue;
            }
            let place = self.next_place()?;
            let placed = self.execute(
                "UPDATE events SET place = ?2, spent = idle, idle = NULL WHERE number = ?1 AND place IS NULL",
                params![event.number, place],
            )?;
            if placed > 0 {
                self.wake_waiting(event.event_type, event.key.as_deref(), now)?;
            }
        }
        if let Some(last) = untold.last() {
            self.execute("UPDATE places SET told = ?1", params![last.number])?;
        }
        self.recall.told = i64::try_from(untold.len()).is_ok_and(|count| count < MOST);
        Ok(())
    }

    fn untold(&self) -> Result<Vec<Untold>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, event_type, correlation_key FROM events
             WHERE digest IS NULL AND number > (SELECT told FROM places) ORDER BY number LIMIT ?1",
        )?;
        let found = statement.query_map(params![MOST], |row| {
            Ok(Untold {
                number: row.get(0)?,
                event_type: row.get(1)?,
                key: row.get(2)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
