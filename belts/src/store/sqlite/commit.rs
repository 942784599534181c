//! Fenced writes of workers: journal entries, and what becomes of the run.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    error::Fault,
    rows::{entry_state, kind_number, state_number, status_number},
    tx::Tx,
    waits::concerns_waits,
};
use crate::store::{
    Commit, CommitBatch, CommitOutcome, Ending, Entry, Lease, RunStatus, Timestamp, Transition,
};

pub(super) fn holds(connection: &Connection, lease: &Lease) -> Result<bool, Fault> {
    let held = connection
        .prepare_cached("SELECT 1 FROM runs WHERE number = ?1 AND worker = ?2 AND token = ?3")?
        .query_row(params![lease.run, lease.worker.0, lease.token], |_| Ok(()))
        .optional()?;
    Ok(held.is_some())
}

/// Which of these leases stand no longer.
pub(super) fn revoked(connection: &Connection, leases: &[Lease]) -> Result<Vec<Lease>, Fault> {
    let mut revoked = Vec::new();
    for lease in leases {
        if !holds(connection, lease)? {
            revoked.push(*lease);
        }
    }
    Ok(revoked)
}

impl Tx<'_> {
    pub(super) fn commit(&mut self, request: &CommitBatch) -> Result<Vec<CommitOutcome>, Fault> {
        request
            .commits
            .iter()
            .map(|commit| self.commit_one(commit, request.now))
            .collect()
    }

    fn commit_one(&mut self, commit: &Commit, now: Timestamp) -> Result<CommitOutcome, Fault> {
        let lease = &commit.lease;
        let ending = commit.transition.as_ref().map(Transition::ending);
        let undoable = |ending: &Ending<'_>| {
            let is_cancel = ending.status == RunStatus::Cancelled;
            ending.may_be_undone()
                && commit
                    .entries
                    .iter()
                    .any(|entry| is_cancel || entry.undoable)
        };
        // Whether the run is undone depends on what it has recorded; and a trigger adds an entry behind those of a cancelled run.
        if ending.flatten().is_some_and(|ending| undoable(&ending))
            && holds(self.connection, lease)?
        {
            for entry in &commit.entries {
                self.write(lease.run, entry, true, now)?;
            }
        }
        let is_told = match &ending {
            None => holds(self.connection, lease)?.then_some(false),
            Some(Some(ending)) => self.change(lease, ending, now)?,
            Some(None) => self.skip(lease, now)?,
        };
        let Some(is_told) = is_told else {
            return Ok(CommitOutcome::LeaseLost);
        };
        let ending = match ending {
            Some(None) => return Ok(CommitOutcome::Applied),
            ending => ending.flatten(),
        };
        let goes_on = ending.is_none_or(|ending| !ending.status.is_finished());
        for entry in &commit.entries {
            self.write(lease.run, entry, goes_on, now)?;
        }
        for tag in &commit.tags {
            self.execute(
                "INSERT OR IGNORE INTO tags (tag, run) VALUES (?1, ?2)",
                params![tag.to_string(), lease.run],
            )?;
        }
        if commit.concerns_others() {
            self.settle_others(commit, now)?;
        }
        if let Some(ending) = ending.filter(|_| !goes_on) {
            self.close_waits_if_any(lease.run)?;
            self.settle_end(lease.run, ending.status, is_told, now)?;
        }
        if ending.is_some_and(|ending| ending.may_wait()) {
            self.hurry(lease.run, now)?;
        }
        Ok(CommitOutcome::Applied)
    }

    /// Changes the row of a run, if the lease holds; whether the end of the run is told.
    fn change(
        &mut self,
        lease: &Lease,
        ending: &Ending<'_>,
        now: Timestamp,
    ) -> Result<Option<bool>, Fault> {
        let result = ending.result.map(|result| &**result);
        if ending.is_undone {
            return self.end_undone(lease, ending, now);
        }
        let Some(finished_at) = ending.finished_at(now) else {
            let before = self.connection.total_changes();
            let changed = self.execute(
                "UPDATE runs SET status = ?4, due_at = ?5, worker = NULL, failed_attempts = coalesce(?6, failed_attempts),
                     result = coalesce(?7, result), keeps_time = ?8, looks_back = coalesce(looks_back, ?9)
                 WHERE number = ?1 AND worker = ?2 AND token = ?3",
                params![
                    lease.run,
                    lease.worker.0,
                    lease.token,
                    status_number(ending.status),
                    ending.due_at.map(Timestamp::as_millis),
                    ending.failed_attempts,
                    result,
                    ending.keeps_time.then_some(1),
                    // So it is found among the unfinished ones, without a time.
                    (ending.may_wait() && ending.due_at.is_none()).then_some(1),
                ],
            )?;
            // A trigger says that a place is free for which others wait, which is one change more.
            self.wakes |= self.connection.total_changes() - before > changed as u64;
            self.wakes |= changed > 0 && ending.is_due(now);
            return Ok((changed > 0).then_some(false));
        };
        // A trigger tells, which is one change more. `RETURNING` would say so too, but costs every run.
        let before = self.connection.total_changes();
        let changed = self.execute(
            "UPDATE runs SET status = ?4, due_at = NULL, worker = NULL, failed_attempts = coalesce(?5, failed_attempts),
                 result = coalesce(?6, result), finished_at = ?7, keeps_time = NULL
             WHERE number = ?1 AND worker = ?2 AND token = ?3",
            params![
                lease.run,
                lease.worker.0,
                lease.token,
                status_number(ending.status),
                ending.failed_attempts,
                result,
                finished_at.as_millis(),
            ],
        )?;
        let is_told = self.connection.total_changes() - before > changed as u64;
        // It may go on, to be undone, and so may the next of its singleton.
        self.wakes |= is_told;
        Ok((changed > 0).then_some(is_told))
    }

    /// Removes a run, if the lease holds; whether that is told.
    fn skip(&mut self, lease: &Lease, now: Timestamp) -> Result<Option<bool>, Fault> {
        let found: Option<(i64, bool)> = self
            .connection
            .prepare_cached(
                "SELECT event, parent IS NOT NULL FROM runs WHERE number = ?1 AND worker = ?2 AND token = ?3",
            )?
            .query_row(params![lease.run, lease.worker.0, lease.token], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((event, is_told)) = found else {
            return Ok(None);
        };
        self.remove_run(lease.run)?;
        self.execute(
            "UPDATE events SET idle = iif(place >= 0, NULL, 1), spent = iif(place >= 0, 1, NULL)
             WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE event = ?1)",
            params![event],
        )?;
        if is_told {
            self.tell_ends(now)?;
        }
        Ok(Some(is_told))
    }

    /// Forgets a run and its journal.
    pub(super) fn remove_run(&mut self, number: i64) -> Result<(), Fault> {
        self.execute("DELETE FROM steps WHERE run = ?1", params![number])?;
        self.execute("DELETE FROM runs WHERE number = ?1", params![number])?;
        Ok(())
    }

    fn write(
        &mut self,
        run: i64,
        entry: &Entry,
        goes_on: bool,
        now: Timestamp,
    ) -> Result<(), Fault> {
        if !concerns_waits(entry) {
            return self.write_step(run, entry, None);
        }
        if self.is_behind(run, entry)? {
            return Ok(());
        }
        let wait = self.settle_wait(run, entry, goes_on, now)?;
        let json = wait.map(|wait| serde_json::to_string(&wait));
        let json = json.transpose().map_err(|_| Fault::Row("wait of a step"))?;
        self.write_step(run, entry, json.as_deref())
    }

    /// Whether a later state of the entry is there.
    fn is_behind(&self, run: i64, entry: &Entry) -> Result<bool, Fault> {
        let behind = self
            .connection
            .prepare_cached(
                // 1 is the state of an entry that waits.
                "SELECT 1 FROM steps WHERE run = ?1 AND seq = ?2 AND (state <> 1 AND ?3 = 1 OR attempts > ?4)",
            )?
            .query_row(
                params![run, entry.seq, state_number(entry.state), entry.attempts],
                |_| Ok(()),
            )
            .optional()?;
        Ok(behind.is_some())
    }

    fn write_step(&mut self, run: i64, entry: &Entry, wait: Option<&str>) -> Result<(), Fault> {
        let type_name = self.names.number(&entry.type_name)?;
        self.execute(
            // 1 is the state of an entry that waits.
            "INSERT INTO steps (run, seq, path, kind, state, type_name, attempts, due_at, started_at, finished_at, value,
                 wait)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (run, seq) DO UPDATE SET
                 path = excluded.path, kind = excluded.kind, state = excluded.state, type_name = excluded.type_name,
                 attempts = excluded.attempts, due_at = excluded.due_at, started_at = excluded.started_at,
                 finished_at = excluded.finished_at, value = excluded.value, wait = excluded.wait
             WHERE (state = 1 OR excluded.state <> 1) AND attempts <= excluded.attempts",
            params![
                run,
                entry.seq,
                &*entry.path,
                kind_number(entry.kind),
                entry_state(entry),
                type_name,
                entry.attempts,
                entry.due_at.map(Timestamp::as_millis),
                entry.started_at.as_millis(),
                entry.finished_at.map(Timestamp::as_millis),
                &*entry.value,
                wait,
            ],
        )?;
        Ok(())
    }
}
