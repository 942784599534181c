//! Flow options in a SQLite file.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    columns::{bytes, lossy, text},
    commit::holds,
    error::Fault,
    names::{Dictionary, SharedNames},
    rows::{FIRST_FINISHED, status_number},
    tx::Tx,
};
use crate::store::{
    Flow, Mark, NewEvent, PublishedRun, Route, Routed, RunStatus, StoredEvent, Timestamp,
    parts::flow::{Kept, Open, Routable, Rows, apply},
};

/// What flow options read and write at a time.
struct Flowing<'a, 'b> {
    tx: &'a mut Tx<'b>,
    now: Timestamp,
}

impl Tx<'_> {
    /// Applies flow options to a claimed run.
    pub(super) fn route(&mut self, request: &Route) -> Result<Routed, Fault> {
        let lease = &request.lease;
        if !holds(self.connection, lease)? {
            return Ok(Routed::LeaseLost);
        }
        let routed = self.apply_flow(lease.run, &request.flow, request.now)?;
        // What waited may be due already, or another run than this one.
        self.wakes |= routed != Routed::Starts;
        Ok(routed)
    }

    /// Applies flow options to a run that has just been made.
    pub(super) fn flow_into(
        &mut self,
        event: &NewEvent,
        now: Timestamp,
        published: &mut PublishedRun,
    ) -> Result<(), Fault> {
        let Some(flow) = event.flow_of(&published.function_id) else {
            return Ok(());
        };
        if event.due_at > now && (flow.debounce.is_some() || flow.batch.is_some()) {
            return Ok(());
        }
        let number = self
            .connection
            .prepare_cached("SELECT number FROM runs WHERE id = ?1")?
            .query_row(params![&*published.run_id], |row| row.get(0))?;
        match self.apply_flow(number, flow, now)? {
            Routed::Starts => {}
            routed => {
                if let Routed::Joined { run_id } = &routed {
                    published.run_id = Arc::clone(run_id);
                }
                published.routed = Some(routed);
            }
        }
        Ok(())
    }

    fn apply_flow(&mut self, number: i64, flow: &Flow, now: Timestamp) -> Result<Routed, Fault> {
        type Found = (Arc<str>, i64, i64, Option<i64>, Option<String>);
        let (run_id, function, event, due_at, mark): Found = self
            .connection
            .prepare_cached("SELECT id, function, event, due_at, flow FROM runs WHERE number = ?1")?
            .query_row(params![number], |row| {
                Ok((
                    lossy(row, 0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            })?;
        // By the clock of whoever asks, which is that of its periods, unless it is delayed.
        let at = due_at.map_or(now, |due_at| Timestamp::from_millis(due_at).max(now));
        let run = Routable {
            number,
            run_id,
            function_id: self.names.name(function)?,
            event,
            routing: Mark::routing_of(mark.as_deref()),
            at,
            is_delayed: at > now,
        };
        apply(&mut Flowing { tx: self, now }, &run, flow)
    }

    /// Leaves the event of a run that is gone to those who may look back to it.
    fn free_event(&self, event: i64) -> Result<(), Fault> {
        self.execute(
            "UPDATE events SET idle = iif(place >= 0, NULL, 1), spent = iif(place >= 0, 1, NULL)
             WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE event = ?1)
                 AND NOT EXISTS (SELECT 1 FROM run_events WHERE event = ?1)",
            params![event],
        )?;
        Ok(())
    }

    /// Forgets keys that say nothing any more.
    pub(super) fn purge_keys(&self, before: Timestamp, limit: usize) -> Result<(), Fault> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        self.execute(
            "DELETE FROM flow_keys WHERE id IN (SELECT id FROM flow_keys WHERE until < ?1
                 AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = flow_keys.run AND finished_at IS NULL)
                 ORDER BY until LIMIT ?2)",
            params![before.as_millis(), most],
        )?;
        Ok(())
    }
}

/// The events of a run, in the order of publishing.
pub(super) fn batch(
    connection: &Connection,
    names: &SharedNames,
    run_id: &str,
) -> Result<Vec<StoredEvent>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut statement = connection.prepare_cached(
        "SELECT id, event_type, payload, correlation_key FROM events WHERE number IN
             (SELECT event FROM runs WHERE id = ?1
              UNION SELECT run_events.event FROM run_events JOIN runs ON runs.number = run_events.run WHERE runs.id = ?1)
         ORDER BY number",
    )?;
    let mut found = statement.query(params![run_id])?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        let key: Option<Arc<str>> = row.get(3)?;
        let event_type = dictionary.name(row.get(1)?)?;
        events.push(
            StoredEvent::new(text(row, 0)?, event_type, bytes(row, 2)?).with_correlation_key(key),
        );
    }
    Ok(events)
}

impl Rows for Flowing<'_, '_> {
    type Fault = Fault;

    fn kept(&mut self, id: &str) -> Result<Option<Kept>, Fault> {
        let kept = self
            .tx
            .connection
            .prepare_cached("SELECT at, run, count, until FROM flow_keys WHERE id = ?1")?
            .query_row(params![id], |row| {
                Ok(Kept {
                    at: row.get(0)?,
                    run_id: row.get(1)?,
                    count: row.get(2)?,
                    until: Timestamp::from_millis(row.get(3)?),
                })
            })
            .optional()?;
        Ok(kept)
    }

    fn keep(&mut self, id: &str, kept: &Kept) -> Result<(), Fault> {
        self.tx.execute(
            "INSERT INTO flow_keys (id, at, run, count, until) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET at = ?2, run = ?3, count = ?4, until = ?5",
            params![
                id,
                kept.at,
                kept.run_id.as_deref(),
                kept.count,
                kept.until.as_millis()
            ],
        )?;
        Ok(())
    }

    fn open(&mut self, run_id: &str) -> Result<Option<Open>, Fault> {
        let open = self
            .tx
            .connection
            .prepare_cached(
                "SELECT number, event, coalesce(flow IN ('debounced', 'batched'), 0) AND worker IS NULL AND started_at IS NULL
                     AND finished_at IS NULL
                 FROM runs WHERE id = ?1",
            )?
            .query_row(params![run_id], |row| {
                Ok(Open {
                    number: row.get(0)?,
                    event: row.get(1)?,
                    takes_more: row.get(2)?,
                })
            })
            .optional()?;
        Ok(open)
    }

    fn singles(&mut self, id: &str, but: i64, all: bool) -> Result<Vec<(i64, Arc<str>)>, Fault> {
        let live = self
            .tx
            .connection
            .prepare_cached(
                "SELECT number, id FROM runs WHERE single = ?1 AND finished_at IS NULL AND number <> ?2 ORDER BY number LIMIT ?3",
            )?
            .query_map(params![id, but, if all { -1 } else { 1 }], |row| Ok((row.get(0)?, lossy(row, 1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(live)
    }

    fn set_single(&mut self, number: i64, id: &str) -> Result<(), Fault> {
        self.tx.execute(
            "UPDATE runs SET single = ?2 WHERE number = ?1",
            params![number, id],
        )?;
        Ok(())
    }

    fn hold(&mut self, number: i64, mark: &Mark, due_at: Option<Timestamp>) -> Result<(), Fault> {
        let status = if due_at.is_some() {
            RunStatus::Pending
        } else {
            RunStatus::Suspended
        };
        self.tx.execute(
            "UPDATE runs SET status = ?2, due_at = ?3, worker = NULL, started_at = NULL, flow = ?4, keeps_time = NULL,
                 looks_back = coalesce(looks_back, ?5)
             WHERE number = ?1",
            params![
                number,
                status_number(status),
                due_at.map(Timestamp::as_millis),
                mark.to_string(),
                // So it is found among the unfinished ones, without a time.
                due_at.is_none().then_some(1),
            ],
        )?;
        Ok(())
    }

    fn stand(&mut self, number: i64, flow: &Flow) -> Result<bool, Fault> {
        self.tx.stand(number, flow, self.now)
    }

    fn mark(&mut self, number: i64, mark: &Mark) -> Result<(), Fault> {
        self.tx.execute(
            "UPDATE runs SET flow = ?2 WHERE number = ?1",
            params![number, mark.to_string()],
        )?;
        Ok(())
    }

    fn skip(&mut self, number: i64, mark: &Mark, cause: Arc<[u8]>) -> Result<(), Fault> {
        // It was none of its function's runs, so nobody handles its end.
        self.tx.execute(
            "UPDATE runs SET flow = ?2, result = ?3, started_at = NULL,
                 undo = iif(EXISTS (SELECT 1 FROM cancel_handled WHERE function = runs.function), 0, undo)
             WHERE number = ?1",
            params![number, mark.to_string(), &*cause],
        )?;
        self.tx.cancel_number(number, self.now)
    }

    fn cancel(&mut self, number: i64) -> Result<(), Fault> {
        let goes_on: Option<i64> = self
            .tx
            .connection
            .prepare_cached(
                "SELECT 1 FROM runs WHERE number = ?1 AND status < ?2 AND undo IS NULL",
            )?
            .query_row(params![number, FIRST_FINISHED], |row| row.get(0))
            .optional()?;
        match goes_on {
            Some(_) => self.tx.cancel_number(number, self.now),
            None => Ok(()),
        }
    }

    fn drop_run(&mut self, number: i64) -> Result<(), Fault> {
        let (event, is_told): (i64, bool) = self
            .tx
            .connection
            .prepare_cached("SELECT event, parent IS NOT NULL FROM runs WHERE number = ?1")?
            .query_row(params![number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.tx.remove_run(number)?;
        self.tx.free_event(event)?;
        if is_told {
            self.tx.tell_ends(self.now)?;
        }
        Ok(())
    }

    fn join(&mut self, open: i64, number: i64) -> Result<(), Fault> {
        self.tx.execute(
            "INSERT OR IGNORE INTO run_events (run, event) SELECT ?1, event FROM runs WHERE number = ?2",
            params![open, number],
        )?;
        Ok(())
    }
}
