//! Which event types anybody may wait for, in SQLite, and which events of theirs can be found.

use rusqlite::{OptionalExtension as _, params};

use super::{awaited::Awaited, error::Fault, functions::unfinished, tx::Tx};
use crate::store::{
    Awaits, Timestamp, WorkerId,
    parts::{Sight, order_by_sight},
};

impl Tx<'_> {
    /// Keeps what runs of a new session's functions may wait for.
    pub(super) fn await_types(&mut self, session: WorkerId, all: &[Awaits]) -> Result<(), Fault> {
        for awaits in all {
            let function = self.names.number(&awaits.function_id)?;
            for event_type in &awaits.event_types {
                let event_type = self.names.number(event_type)?;
                self.execute(
                    "INSERT OR IGNORE INTO awaits (session, function, event_type) VALUES (?1, ?2, ?3)",
                    params![session.0, function, event_type],
                )?;
            }
        }
        Ok(())
    }

    /// Looks again at what the sessions await. What a function no longer awaits stands until its runs are over.
    pub(super) fn settle_awaits(&mut self, now: Timestamp) -> Result<(), Fault> {
        self.drop_unawaited()?;
        let registered: Vec<(i64, i64)> = self
            .connection
            .prepare_cached("SELECT DISTINCT function, event_type FROM awaits")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (function, event_type) in registered {
            self.begin_to_await(function, event_type, now)?;
        }
        Ok(())
    }

    pub(super) fn drop_unawaited(&mut self) -> Result<(), Fault> {
        let dropped = self.execute(
            "DELETE FROM awaited
             WHERE NOT EXISTS (SELECT 1 FROM awaits
                     WHERE awaits.function = awaited.function AND awaits.event_type = awaited.event_type)
                 AND NOT EXISTS (SELECT 1 FROM runs
                     WHERE runs.function = awaited.function AND looks_back IS NOT NULL AND finished_at IS NULL)",
            [],
        )?;
        if dropped > 0 {
            self.recall.awaited = None;
        }
        Ok(())
    }

    /// From here on runs of the function may wait for events of this type; those that are there are given their places if nobody
    /// did so yet.
    pub(super) fn begin_to_await(
        &mut self,
        function: i64,
        event_type: i64,
        now: Timestamp,
    ) -> Result<(), Fault> {
        if self.awaited()?.has(function, event_type) {
            return Ok(());
        }
        // Another process may have been first.
        self.recall.awaited = None;
        let awaited = self.awaited()?;
        if awaited.has(function, event_type) {
            return Ok(());
        }
        let (known_type, known_function) =
            (awaited.has_type(event_type), awaited.has_function(function));
        if !known_function {
            self.execute(
                concat!(
                    "UPDATE runs SET looks_back = 1 WHERE looks_back IS NULL AND number IN (",
                    unfinished!(),
                    ")"
                ),
                params![function, i64::MAX],
            )?;
        }
        self.execute(
            "INSERT INTO awaited (event_type, function) VALUES (?1, ?2)",
            params![event_type, function],
        )?;
        self.recall.awaited = None;
        if known_type {
            return Ok(());
        }
        self.place_what_is_there(event_type, now)
    }

    /// Which functions may wait for events, as far as this store knows without a look.
    pub(super) fn awaited(&mut self) -> Result<&Awaited, Fault> {
        if self.recall.awaited.is_none() {
            let mut awaited = Awaited::default();
            let mut statement = self
                .connection
                .prepare_cached("SELECT event_type, function FROM awaited")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (event_type, function) = (row.get(0)?, row.get(1)?);
                awaited.add(function, event_type);
            }
            self.recall.awaited = Some(awaited);
        }
        Ok(self.recall.awaited.get_or_insert_default())
    }

    /// Gives places to the events of a type that runs which have not finished could look back to.
    fn place_what_is_there(&mut self, event_type: i64, now: Timestamp) -> Result<(), Fault> {
        let mut events = self.delayed(event_type)?;
        if let Some((first, published_at)) = self.first_unfinished()? {
            // A clock that is ahead says nothing of what was delayed until after it.
            events.retain(|event| published_at > now || event.visible_at() >= published_at);
            events.extend(self.plain_behind(event_type, first)?);
        } else {
            events.retain(|event| event.visible_at() > now);
        }
        events.sort_unstable_by_key(|event| event.number);
        order_by_sight(&mut events, |event| *event);
        for event in events {
            let place = if event.visible_at() > now && event.due_at.is_some() {
                0
            } else {
                self.next_place()?
            };
            self.execute(
                "UPDATE events SET place = ?2, spent = idle, idle = NULL WHERE number = ?1",
                params![event.number, place],
            )?;
        }
        Ok(())
    }

    /// The event of the first run that has not finished.
    fn first_unfinished(&self) -> Result<Option<(i64, Timestamp)>, Fault> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT number, published_at FROM events WHERE number = (SELECT min(event) FROM (
                     SELECT event FROM runs WHERE due_at IS NOT NULL
                     UNION ALL SELECT event FROM runs WHERE worker IS NOT NULL
                     UNION ALL SELECT event FROM runs WHERE status = 3
                     UNION ALL SELECT event FROM runs
                         WHERE line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL
                     UNION ALL SELECT event FROM runs WHERE looks_back IS NOT NULL AND finished_at IS NULL))",
            )?
            .query_row([], |row| {
                Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?)))
            })
            .optional()?;
        Ok(found)
    }

    fn delayed(&self, event_type: i64) -> Result<Vec<Sight>, Fault> {
        self.sights(
            "SELECT number, published_at, visible_at FROM events
             WHERE event_type = ?1 AND visible_at IS NOT NULL AND place IS NULL",
            params![event_type],
        )
    }

    /// Those published after event `first`, and after all that have a place: of these some may have had nobody to wait for them.
    fn plain_behind(&self, event_type: i64, first: i64) -> Result<Vec<Sight>, Fault> {
        self.sights(
            "SELECT number, published_at, NULL FROM events
             WHERE number > max(?2, coalesce(
                     (SELECT max(number) FROM events WHERE event_type = ?1 AND place > 0 AND visible_at IS NULL), 0))
                 AND +event_type = ?1 AND place IS NULL AND visible_at IS NULL",
            params![event_type, first],
        )
    }

    fn sights(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Sight>, Fault> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_map(params, |row| {
            let due_at: Option<i64> = row.get(2)?;
            Ok(Sight {
                number: row.get(0)?,
                published_at: Timestamp::from_millis(row.get(1)?),
                due_at: due_at.map(Timestamp::from_millis),
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn next_place(&self) -> Result<i64, Fault> {
        let place = self
            .connection
            .prepare_cached("UPDATE places SET last = last + 1 RETURNING last")?
            .query_row([], |row| row.get(0))?;
        Ok(place)
    }
}
