//! Runs that have something to undo, or whose cancel is handled: a trigger has them go on in place of their end, until that is done.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::{
    columns::optional_bytes,
    error::Fault,
    rows::{status, status_number},
    tx::Tx,
};
use crate::store::{Ending, Entry, Lease, Register, StepKind, Timestamp, Undoing};

impl Tx<'_> {
    /// Keeps of which functions of a new session cancels are handled.
    pub(super) fn handle_cancels(&mut self, request: &Register) -> Result<(), Fault> {
        for wanted in request.wanted() {
            let function = self.names.number(&wanted.function_id)?;
            if request.handles_cancels_of(&wanted.function_id) {
                self.execute(
                    "INSERT OR IGNORE INTO cancel_handled (function) VALUES (?1)",
                    params![function],
                )?;
            } else {
                self.forget_handled(function)?;
            }
        }
        Ok(())
    }

    pub(super) fn forget_handled(&self, function: i64) -> Result<(), Fault> {
        self.execute(
            "DELETE FROM cancel_handled WHERE function = ?1",
            params![function],
        )?;
        Ok(())
    }

    /// How a run ends once it is undone, if that is decided. Nobody decides it who does not find something to undo in its journal.
    pub(super) fn undoing(&self, number: i64, journal: &[Entry]) -> Result<Option<Undoing>, Fault> {
        let undoes = |entry: &Entry| entry.undoable || entry.kind == StepKind::Undo;
        if !journal.iter().any(undoes) {
            return Ok(None);
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT undo, undo_result FROM runs WHERE number = ?1 AND undo IS NOT NULL",
        )?;
        let mut found = statement.query(params![number])?;
        let Some(row) = found.next()? else {
            return Ok(None);
        };
        let error: Option<Arc<[u8]>> = optional_bytes(row, 1)?;
        Ok(Some(Undoing::new(status(row.get(0)?)?, error)))
    }

    /// Ends a run that is undone, if the lease holds; whether that is told.
    pub(super) fn end_undone(
        &mut self,
        lease: &Lease,
        ending: &Ending<'_>,
        now: Timestamp,
    ) -> Result<Option<bool>, Fault> {
        let is_told = self
            .connection
            .prepare_cached(
                "UPDATE runs SET status = ?4, due_at = NULL, worker = NULL, result = coalesce(?5, result), finished_at = ?6,
                     keeps_time = NULL, undo = 0, finish_by = undo_finish_by, undo_finish_by = NULL
                 WHERE number = ?1 AND worker = ?2 AND token = ?3 RETURNING parent IS NOT NULL",
            )?
            .query_row(
                params![
                    lease.run,
                    lease.worker.0,
                    lease.token,
                    status_number(ending.status),
                    ending.result.map(|result| &**result),
                    now.as_millis(),
                ],
                |row| row.get(0),
            )
            .optional()?;
        Ok(is_told)
    }

    /// Ends a run as cancelled that nobody can undo.
    pub(super) fn abandon(&mut self, number: i64, now: Timestamp) -> Result<(), Fault> {
        self.keep_done(number)?;
        self.cancel_number(number, now)
    }

    /// Has the next end of a run be its last, whatever it has to undo.
    pub(super) fn keep_done(&mut self, number: i64) -> Result<(), Fault> {
        self.execute(
            "UPDATE runs SET undo = 0, finish_by = coalesce(undo_finish_by, finish_by), undo_finish_by = NULL
             WHERE number = ?1
                 AND (undo IS NOT NULL OR EXISTS (SELECT 1 FROM steps WHERE run = ?1 AND state = 3))",
            params![number],
        )?;
        Ok(())
    }
}
