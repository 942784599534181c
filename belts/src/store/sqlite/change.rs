//! What people do to runs: cancel, rerun, purge.

use rusqlite::{OptionalExtension as _, params};

use super::{
    error::Fault,
    rows::{FIRST_FINISHED, notes, state_number, status_number},
    tx::Tx,
};
use crate::store::{Note, Purged, Rerun, RunStatus, StepState, Timestamp};

impl Tx<'_> {
    pub(super) fn cancel(&mut self, run_id: &str, now: Timestamp) -> Result<bool, Fault> {
        let number: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT number FROM runs WHERE id = ?1 AND status < ?2 AND undo IS NULL",
            )?
            .query_row(params![run_id, FIRST_FINISHED], |row| row.get(0))
            .optional()?;
        if let Some(number) = number {
            self.cancel_number(number, now)?;
        }
        Ok(number.is_some())
    }

    /// Keeps what somebody did to a run.
    pub(super) fn note(&mut self, run_id: &str, note: &Note) -> Result<bool, Fault> {
        let found = self
            .connection
            .prepare_cached("SELECT notes FROM runs WHERE id = ?1")?
            .query_row(params![run_id], |row| notes(row, 0))
            .optional()?;
        let Some(mut notes) = found else {
            return Ok(false);
        };
        notes.push(note.clone());
        let surplus = notes.len().saturating_sub(Note::MOST);
        notes.drain(..surplus);
        let json = serde_json::to_string(&notes).map_err(|_| Fault::Row("note"))?;
        self.execute(
            "UPDATE runs SET notes = ?2 WHERE id = ?1",
            params![run_id, json],
        )?;
        Ok(true)
    }

    pub(super) fn rerun(&mut self, request: &Rerun) -> Result<bool, Fault> {
        let Rerun {
            run_id,
            from,
            reopen,
            undone,
            now,
        } = request;
        let number: Option<i64> = self
            .connection
            .prepare_cached("SELECT number FROM runs WHERE id = ?1 AND status IN (?2, ?3)")?
            .query_row(
                params![
                    &**run_id,
                    status_number(RunStatus::Failed),
                    status_number(RunStatus::Cancelled)
                ],
                |row| row.get(0),
            )
            .optional()?;
        let Some(number) = number else {
            return Ok(false);
        };
        self.execute(
            "UPDATE runs SET status = iif(started_at IS NULL, ?3, ?4), due_at = ?2, failed_attempts = 0, result = NULL,
                 finished_at = NULL, crashes = 0, crash_progress = 0, looks_back = 1, generation = generation + ?5
             WHERE number = ?1",
            params![
                number,
                now.as_millis(),
                status_number(RunStatus::Pending),
                status_number(RunStatus::Suspended),
                i64::from(request.begins_generation()),
            ],
        )?;
        for seq in reopen {
            self.execute(
                "UPDATE steps SET state = ?3, value = x'', due_at = NULL, finished_at = NULL WHERE run = ?1 AND seq = ?2",
                params![number, seq, state_number(StepState::Waiting)],
            )?;
        }
        self.execute(
            "DELETE FROM steps WHERE run = ?1 AND (state = ?2 OR seq >= ?3)",
            params![number, state_number(StepState::Failed), from],
        )?;
        for seq in undone {
            self.execute(
                "DELETE FROM steps WHERE run = ?1 AND seq = ?2",
                params![number, seq],
            )?;
        }
        self.renew_deadlines(number, *now)?;
        self.open_waits(number, *now)?;
        self.wakes = true;
        Ok(true)
    }

    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> Result<Purged, Fault> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let old: Vec<(i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT number, event FROM runs WHERE finished_at < ?1 ORDER BY finished_at, number LIMIT ?2",
            )?
            .query_map(params![before.as_millis(), most], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (number, event) in &old {
            self.remove_run(*number)?;
            self.execute(
                "DELETE FROM events WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE event = ?1)",
                params![event],
            )?;
        }
        // Events that started nothing are kept as long, so that their ids stay known.
        let events = self.execute(
            "DELETE FROM events WHERE number IN
                 (SELECT number FROM events WHERE idle IS NOT NULL AND published_at < ?1 ORDER BY published_at LIMIT ?2)",
            params![before.as_millis(), most],
        )?;
        self.purge_keys(before, limit)?;
        let events = events + self.purge_spent(before, limit.saturating_sub(events))?;
        Ok(Purged::new(old.len())
            .with_events(events)
            .with_more(old.len() >= limit || events >= limit))
    }
}
