//! How long events stay in SQLite that waits may find: until nobody could look back to them.

use rusqlite::{OptionalExtension as _, params};

use super::{error::Fault, tx::Tx};
use crate::store::Timestamp;

/// How many events that must stay, or seem to by the clock of their publisher, are passed over before others of their type.
const PASSED: usize = 100;

/// The event of the first run that may look back for events of a type. What was published after it stays, and what was delayed until
/// after it.
#[derive(Clone, Copy)]
struct Horizon {
    number: i64,
    published_at: i64,
}

/// An event with a place that no run of its own needs.
struct Spent {
    number: i64,
    published_at: i64,
    visible_at: Option<i64>,
}

impl Spent {
    fn may_go(&self, before: Timestamp, horizon: Option<Horizon>) -> bool {
        let visible_at = self.visible_at.unwrap_or(self.published_at);
        let is_behind = |start: Horizon| match self.visible_at {
            Some(visible_at) => visible_at >= start.published_at,
            None => self.number > start.number,
        };
        visible_at < before.as_millis() && !horizon.is_some_and(is_behind)
    }
}

impl Tx<'_> {
    /// Removes events that have a place and that nobody needs, the earliest of each type first; how many.
    pub(super) fn purge_spent(&mut self, before: Timestamp, limit: usize) -> Result<usize, Fault> {
        self.drop_unawaited()?;
        let mut removed = 0;
        let mut event_type = i64::MIN;
        while removed < limit
            && let Some(next) = self.next_spent_type(event_type)?
        {
            event_type = next;
            let horizon = self.horizon(event_type)?;
            // Those of one type have places in the order in which they became visible, but for some of which the clocks were wrong.
            let spent = self.spent(event_type, (limit - removed).saturating_add(PASSED))?;
            let spent = spent.iter().filter(|event| event.may_go(before, horizon));
            for event in spent.take(limit - removed) {
                self.remove_placed(event.number)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn next_spent_type(&self, last: i64) -> Result<Option<i64>, Fault> {
        let next = self
            .connection
            .prepare_cached(
                "SELECT event_type FROM events WHERE spent IS NOT NULL AND event_type > ?1 ORDER BY event_type LIMIT 1",
            )?
            .query_row(params![last], |row| row.get(0))
            .optional()?;
        Ok(next)
    }

    fn spent(&self, event_type: i64, most: usize) -> Result<Vec<Spent>, Fault> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(
            "SELECT number, published_at, visible_at FROM events
             WHERE spent IS NOT NULL AND event_type = ?1 AND place > 0 ORDER BY place LIMIT ?2",
        )?;
        let found = statement.query_map(params![event_type, most], |row| {
            Ok(Spent {
                number: row.get(0)?,
                published_at: row.get(1)?,
                visible_at: row.get(2)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    fn horizon(&self, event_type: i64) -> Result<Option<Horizon>, Fault> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT number, published_at FROM events WHERE number = (
                     SELECT min((SELECT min(event) FROM runs
                         WHERE runs.function = awaited.function AND looks_back IS NOT NULL AND finished_at IS NULL))
                     FROM awaited WHERE awaited.event_type = ?1)",
            )?
            .query_row(params![event_type], |row| {
                Ok(Horizon {
                    number: row.get(0)?,
                    published_at: row.get(1)?,
                })
            })
            .optional()?;
        Ok(found)
    }

    pub(super) fn remove_placed(&self, number: i64) -> Result<(), Fault> {
        self.execute(
            "UPDATE events SET place = NULL, spent = NULL WHERE number = ?1",
            params![number],
        )?;
        self.execute("DELETE FROM events WHERE number = ?1", params![number])?;
        Ok(())
    }
}
