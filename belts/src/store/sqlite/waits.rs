//! The waits of runs in SQLite: how an entry opens, moves and closes one, and from where on it looks.

use rusqlite::{OptionalExtension as _, params, types::ValueRef};

use super::{
    columns::time,
    error::Fault,
    rows::{self, state_number},
    tx::Tx,
};
use crate::store::{
    After, AwaitedType, Entry, StepKind, StepState, Timestamp, Wait,
    parts::{Sight, long_before},
};

/// What a run began with.
struct Start {
    function: i64,
    sight: Sight,
}

impl Tx<'_> {
    /// What is to be written of an entry that has a wait, and of no earlier state than what is there: its wait, with places. The
    /// index of waits is brought in line with it, unless the run is over.
    pub(super) fn settle_wait(
        &mut self,
        run: i64,
        entry: &Entry,
        goes_on: bool,
        now: Timestamp,
    ) -> Result<Option<Wait>, Fault> {
        let present = self.present_wait(run, entry.seq)?;
        let Some(wait) = entry.wait.as_ref() else {
            self.close_wait(run, entry)?;
            return Ok(None);
        };
        if entry.state != StepState::Waiting {
            self.close_wait(run, entry)?;
            return Ok(Some(wait.clone()));
        }
        let wait = self.resolve(run, wait, present.as_ref(), now)?;
        self.close_wait(run, entry)?;
        if goes_on {
            self.open_wait(run, entry.seq, &wait)?;
        }
        Ok(Some(wait))
    }

    /// What the entry that is there waits for, if it does.
    fn present_wait(&self, run: i64, seq: u32) -> Result<Option<Wait>, Fault> {
        let found = self
            .connection
            .prepare_cached("SELECT wait FROM steps WHERE run = ?1 AND seq = ?2 AND state = ?3")?
            .query_row(params![run, seq, state_number(StepState::Waiting)], |row| {
                Ok(rows::wait(row.get_ref(0)?))
            })
            .optional()?;
        Ok(found.transpose()?.flatten())
    }

    fn resolve(
        &mut self,
        run: i64,
        wait: &Wait,
        present: Option<&Wait>,
        now: Timestamp,
    ) -> Result<Wait, Fault> {
        let start = self.start(run)?;
        // Another process may have dropped what nobody awaited any more.
        self.look()?;
        self.await_types_of(start.function, wait, now)?;
        self.show_all_due(now, now)?;
        wait.resolved(present, |awaited, key| {
            self.place(&start.sight, awaited, key)
        })
    }

    fn await_types_of(&mut self, function: i64, wait: &Wait, now: Timestamp) -> Result<(), Fault> {
        let Wait::Event { types, .. } = wait;
        for awaited in types.iter() {
            let event_type = self.names.number(&awaited.event_type)?;
            self.begin_to_await(function, event_type, now)?;
        }
        Ok(())
    }

    fn start(&self, run: i64) -> Result<Start, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT function, events.number, published_at, visible_at, started_at
             FROM runs JOIN events ON events.number = runs.event WHERE runs.number = ?1",
        )?;
        let mut found = statement.query(params![run])?;
        let row = found.next()?.ok_or(Fault::Row("event of a run"))?;
        Ok(Start {
            function: row.get(0)?,
            sight: Sight {
                number: row.get(1)?,
                published_at: Timestamp::from_millis(row.get(2)?),
                due_at: time(row, 3)?,
            }
            .of_run(time(row, 4)?),
        })
    }

    /// The place behind which a run that began so looks.
    fn place(
        &mut self,
        start: &Sight,
        awaited: &AwaitedType,
        key: Option<&str>,
    ) -> Result<i64, Fault> {
        let event_type = self.names.number(&awaited.event_type)?;
        match awaited.after {
            After::Place(place) => Ok(place),
            After::Now => self.last_place(),
            After::Time(time) => self.place_before(event_type, key, time),
            After::Start if start.due_at.is_none() => {
                // Backwards from the last, as far as there is anything to be found.
                self.one_place(
                    "SELECT place FROM events WHERE event_type = ?1 AND correlation_key IS ?2 AND place > 0
                         AND (number = ?3 OR iif(visible_at IS NULL, number < ?3, visible_at < ?4))
                     ORDER BY place DESC LIMIT 1",
                    params![event_type, key, start.number, start.published_at.as_millis()],
                )
            }
            After::Start => self.place_before(event_type, key, start.visible_at()),
        }
    }

    fn last_place(&self) -> Result<i64, Fault> {
        self.one_place("SELECT last FROM places", [])
    }

    /// The place before the first event that became visible at this time or later. Nearly always the last one was long before.
    fn place_before(
        &self,
        event_type: i64,
        key: Option<&str>,
        time: Timestamp,
    ) -> Result<i64, Fault> {
        let first = self.one_place(
            // SQLite enters the index with the first of the two conditions on places.
            "SELECT place FROM events WHERE event_type = ?1 AND correlation_key IS ?2
                 AND place > coalesce(
                     (SELECT place FROM events WHERE event_type = ?1 AND correlation_key IS ?2 AND place > 0
                          AND coalesce(visible_at, published_at) < ?4
                      ORDER BY place DESC LIMIT 1), 0) AND place > 0
                 AND coalesce(visible_at, published_at) >= ?3
             ORDER BY place LIMIT 1",
            params![event_type, key, time.as_millis(), long_before(time).as_millis()],
        )?;
        if first > 0 {
            Ok(first - 1)
        } else {
            self.last_place()
        }
    }

    /// A place, or 0 where there is none.
    fn one_place(&self, sql: &str, params: impl rusqlite::Params) -> Result<i64, Fault> {
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row(params, |row| row.get(0))
            .optional()?;
        Ok(found.unwrap_or(0))
    }

    fn open_wait(&mut self, run: i64, seq: u32, wait: &Wait) -> Result<(), Fault> {
        let Wait::Event { types, key } = wait;
        for awaited in types.iter() {
            let After::Place(cursor) = awaited.after else {
                continue;
            };
            let event_type = self.names.number(&awaited.event_type)?;
            self.execute(
                "INSERT OR REPLACE INTO waits (run, seq, event_type, correlation_key, cursor) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![run, seq, event_type, key.as_deref(), cursor],
            )?;
        }
        Ok(())
    }

    fn close_wait(&self, run: i64, entry: &Entry) -> Result<(), Fault> {
        self.execute(
            "DELETE FROM waits WHERE run = ?1 AND seq = ?2",
            params![run, entry.seq],
        )?;
        Ok(())
    }

    /// Closes the waits of a run that is over.
    pub(super) fn close_waits(&self, run: i64) -> Result<(), Fault> {
        self.execute("DELETE FROM waits WHERE run = ?1", params![run])?;
        Ok(())
    }

    /// The same, where many runs end that never waited for anything.
    pub(super) fn close_waits_if_any(&mut self, run: i64) -> Result<(), Fault> {
        if self.awaited()?.is_empty() {
            return Ok(());
        }
        self.close_waits(run)
    }

    /// Opens the waits of a run again, which goes on after its end. Their types may have been awaited by nobody since.
    pub(super) fn open_waits(&mut self, run: i64, now: Timestamp) -> Result<(), Fault> {
        // An earlier version that ended it closed none.
        self.close_waits(run)?;
        // Another process may have dropped what nobody awaited any more.
        self.look()?;
        let waiting: Vec<(u32, Option<Wait>)> = {
            let mut statement = self.connection.prepare_cached(
                "SELECT seq, wait FROM steps WHERE run = ?1 AND state = ?2 AND wait IS NOT NULL",
            )?;
            let mut found = statement.query(params![run, state_number(StepState::Waiting)])?;
            let mut waiting = Vec::new();
            while let Some(row) = found.next()? {
                // One that cannot be read is seen by the claim, which sets the run aside.
                let wait: ValueRef<'_> = row.get_ref(1)?;
                waiting.push((row.get(0)?, rows::wait(wait).unwrap_or(None)));
            }
            waiting
        };
        for (seq, wait) in waiting {
            if let Some(wait) = wait {
                let function = self.start(run)?.function;
                self.await_types_of(function, &wait, now)?;
                self.open_wait(run, seq, &wait)?;
            }
        }
        Ok(())
    }
}

/// Whether an entry opens, moves or closes a wait.
pub(super) fn concerns_waits(entry: &Entry) -> bool {
    entry.wait.is_some() || entry.kind == StepKind::Wait
}
