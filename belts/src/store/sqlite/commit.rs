//! Fenced writes of workers: journal entries, and what becomes of the run.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    error::Fault,
    rows::{kind_number, state_number, status_number},
    tx::Tx,
};
use crate::store::{
    Commit, CommitBatch, CommitOutcome, Entry, Lease, RunStatus, Timestamp, Transition,
};

/// The new state of a run that gives its lease back.
struct Change<'a> {
    status: RunStatus,
    due_at: Option<Timestamp>,
    failed_attempts: Option<u32>,
    result: Option<&'a [u8]>,
}

impl<'a> Change<'a> {
    fn to(status: RunStatus) -> Self {
        Self {
            status,
            due_at: None,
            failed_attempts: None,
            result: None,
        }
    }

    /// `None` for a transition that removes the run.
    fn of(transition: &'a Transition) -> Option<Self> {
        Some(match transition {
            Transition::Suspend { due_at } => Self {
                due_at: Some(*due_at),
                ..Self::to(RunStatus::Suspended)
            },
            Transition::Retry {
                due_at,
                failed_attempts,
                error,
            } => Self {
                due_at: Some(*due_at),
                failed_attempts: Some(*failed_attempts),
                result: Some(error),
                ..Self::to(RunStatus::Suspended)
            },
            Transition::Complete { output } => Self {
                result: Some(output),
                ..Self::to(RunStatus::Completed)
            },
            Transition::Fail {
                failed_attempts,
                error,
            } => Self {
                failed_attempts: Some(*failed_attempts),
                result: Some(error),
                ..Self::to(RunStatus::Failed)
            },
            Transition::Stop => Self::to(RunStatus::Stopped),
            Transition::Skip => return None,
        })
    }
}

fn holds(connection: &Connection, lease: &Lease) -> Result<bool, Fault> {
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
        let holds = match &commit.transition {
            None => holds(self.connection, lease)?,
            Some(transition) => match Change::of(transition) {
                Some(change) => self.change(lease, &change, now)?,
                None => self.skip(lease)?,
            },
        };
        if !holds {
            return Ok(CommitOutcome::LeaseLost);
        }
        if commit.transition != Some(Transition::Skip) {
            for entry in &commit.entries {
                self.write(lease.run, entry)?;
            }
        }
        Ok(CommitOutcome::Applied)
    }

    fn change(
        &mut self,
        lease: &Lease,
        change: &Change<'_>,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let changed = self.execute(
            "UPDATE runs SET status = ?4, due_at = ?5, worker = NULL, failed_attempts = coalesce(?6, failed_attempts),
                 result = coalesce(?7, result), finished_at = ?8
             WHERE number = ?1 AND worker = ?2 AND token = ?3",
            params![
                lease.run,
                lease.worker.0,
                lease.token,
                status_number(change.status),
                change.due_at.map(Timestamp::as_millis),
                change.failed_attempts,
                change.result,
                change.status.is_finished().then_some(now.as_millis()),
            ],
        )?;
        self.wakes |= changed > 0 && change.due_at.is_some_and(|due_at| due_at <= now);
        Ok(changed > 0)
    }

    fn skip(&mut self, lease: &Lease) -> Result<bool, Fault> {
        let event: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT event FROM runs WHERE number = ?1 AND worker = ?2 AND token = ?3",
            )?
            .query_row(params![lease.run, lease.worker.0, lease.token], |row| {
                row.get(0)
            })
            .optional()?;
        let Some(event) = event else { return Ok(false) };
        self.remove_run(lease.run)?;
        self.execute(
            "UPDATE events SET idle = 1 WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE event = ?1)",
            params![event],
        )?;
        Ok(true)
    }

    /// Forgets a run and its journal.
    pub(super) fn remove_run(&mut self, number: i64) -> Result<(), Fault> {
        self.execute("DELETE FROM steps WHERE run = ?1", params![number])?;
        self.execute("DELETE FROM runs WHERE number = ?1", params![number])?;
        Ok(())
    }

    fn write(&mut self, run: i64, entry: &Entry) -> Result<(), Fault> {
        let type_name = self.names.number(&entry.type_name)?;
        self.execute(
            // 1 is the state of an entry that waits.
            "INSERT INTO steps (run, seq, path, kind, state, type_name, attempts, due_at, started_at, finished_at, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (run, seq) DO UPDATE SET
                 path = excluded.path, kind = excluded.kind, state = excluded.state, type_name = excluded.type_name,
                 attempts = excluded.attempts, due_at = excluded.due_at, started_at = excluded.started_at,
                 finished_at = excluded.finished_at, value = excluded.value
             WHERE (state = 1 OR excluded.state <> 1) AND attempts <= excluded.attempts",
            params![
                run,
                entry.seq,
                &*entry.path,
                kind_number(entry.kind),
                state_number(entry.state),
                type_name,
                entry.attempts,
                entry.due_at.map(Timestamp::as_millis),
                entry.started_at.as_millis(),
                entry.finished_at.map(Timestamp::as_millis),
                &*entry.value,
            ],
        )?;
        Ok(())
    }
}
