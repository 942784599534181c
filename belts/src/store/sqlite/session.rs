//! Workers' sessions in SQLite: who is there, until when, and what they subscribe to.

use std::{collections::HashSet, time::Duration};

use rusqlite::{OptionalExtension as _, params};

use super::{error::Fault, rows::status_number, tx::Tx};
use crate::{
    error::Error,
    store::{Register, Release, RunStatus, Timestamp, WorkerId, parts::is_late_renewal},
};

/// Sessions are forgotten this long after their lease time has ended.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

impl Tx<'_> {
    /// Begins a session; answers with the sessions of the same name that it ended.
    pub(super) fn register(
        &mut self,
        request: &Register,
    ) -> Result<(WorkerId, Vec<WorkerId>), Fault> {
        self.forget();
        self.adopt_earlier_sessions()?;
        let mut ended = Vec::new();
        if let Some(name) = &request.name {
            ended = self.sessions("SELECT id FROM workers WHERE name = ?1", params![&**name])?;
        }
        let forgotten = request.now.before(FORGET_AFTER).as_millis();
        let silent = self.sessions(
            "SELECT id FROM workers WHERE lease_until < ?1",
            params![forgotten],
        )?;
        for worker in ended.iter().chain(&silent) {
            self.crash_runs(*worker, request.now)?;
            self.drop_session(*worker)?;
        }
        let build = request.build.as_ref();
        let build = build.map(|build| self.names.number(build)).transpose()?;
        self.execute(
            "INSERT INTO workers (name, lease_until, lease, wants_known, build) VALUES (?1, ?2, ?3, 1, ?4)",
            params![
                request.name.as_deref(),
                request.now.after(request.lease).as_millis(),
                millis(request.lease),
                build
            ],
        )?;
        let worker = WorkerId(self.connection.last_insert_rowid());
        self.want(worker, &request.wanted())?;
        self.await_types(worker, &request.awaits)?;
        self.limit(request)?;
        self.handle_cancels(request)?;
        self.succeed(worker)?;
        self.hear_of(request.now)?;
        self.settle_wants(request.now)?;
        Ok((worker, ended))
    }

    /// Ends a session that takes its leave: its runs are due.
    pub(super) fn end_session(&mut self, worker: WorkerId, now: Timestamp) -> Result<(), Fault> {
        self.forget();
        self.adopt_earlier_sessions()?;
        self.release_runs(worker, now)?;
        self.drop_session(worker)?;
        self.settle_wants(now)
    }

    /// Gives up the runs of a session whose process has died. What it wants stands until it is forgotten.
    pub(super) fn lose_session(&mut self, worker: WorkerId, now: Timestamp) -> Result<(), Fault> {
        self.forget_lease();
        self.crash_runs(worker, now)?;
        self.execute(
            // A length below zero marks the dead.
            "UPDATE workers SET lease_until = min(lease_until, ?2), lease = -abs(lease) WHERE id = ?1",
            params![worker.0, now.as_millis()],
        )?;
        Ok(())
    }

    /// Ends the sessions of dead processes that wanted nothing beyond what a new one wants: a program that dies again and again
    /// leaves one behind each time.
    fn succeed(&self, worker: WorkerId) -> Result<(), Fault> {
        self.execute(
            "DELETE FROM workers WHERE lease < 0 AND NOT EXISTS (
                 SELECT 1 FROM wants AS wanted WHERE wanted.session = workers.id AND NOT EXISTS (
                     SELECT 1 FROM wants WHERE session = ?1 AND function = wanted.function AND event_type = wanted.event_type))",
            params![worker.0],
        )?;
        Ok(())
    }

    /// Ends the sessions that have a function. Whoever comes back registers again, and wants it again.
    pub(super) fn end_sessions_with(&mut self, function: i64, now: Timestamp) -> Result<(), Fault> {
        let having = self.sessions(
            "SELECT DISTINCT id FROM workers JOIN wants ON session = id WHERE function = ?1",
            params![function],
        )?;
        for worker in having {
            self.crash_runs(worker, now)?;
            self.drop_session(worker)?;
        }
        Ok(())
    }

    fn drop_session(&self, worker: WorkerId) -> Result<(), Fault> {
        self.execute("DELETE FROM workers WHERE id = ?1", params![worker.0])?;
        Ok(())
    }

    pub(super) fn renew(
        &mut self,
        worker: WorkerId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Result<(), Error>, Fault> {
        let kept: Option<(i64, i64)> = self
            .connection
            .prepare_cached("SELECT lease_until, lease FROM workers WHERE id = ?1")?
            .query_row(params![worker.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((until, length)) = kept else {
            return Ok(Err(Error::unknown_session(worker)));
        };
        // The lease of one that was taken for dead is below zero, and any renewal revives it.
        let length = Duration::from_millis(length.try_into().unwrap_or(0));
        if is_late_renewal(now, Timestamp::from_millis(until), length) {
            return Ok(Ok(()));
        }
        self.forget_lease();
        self.execute(
            "UPDATE workers SET lease_until = ?2, lease = ?3 WHERE id = ?1",
            params![worker.0, now.after(lease).as_millis(), millis(lease)],
        )?;
        self.hear_of(now)?;
        Ok(Ok(()))
    }

    /// Makes sure that a session lives, with the runs that nobody has taken from it.
    pub(super) fn revive(
        &mut self,
        worker: WorkerId,
        now: Timestamp,
    ) -> Result<Result<(), Error>, Fault> {
        let Some(until) = self.lease_until(worker)? else {
            return Ok(Err(Error::unknown_session(worker)));
        };
        if until <= now {
            self.forget_lease();
            self.execute(
                // It may have been taken for dead.
                "UPDATE workers SET lease_until = ?2 + abs(lease), lease = abs(lease) WHERE id = ?1",
                params![worker.0, now.as_millis()],
            )?;
        }
        self.heed_clock(now)?;
        Ok(Ok(()))
    }

    /// Makes the runs of a session due, but for those that it keeps.
    pub(super) fn release(&mut self, request: &Release) -> Result<usize, Fault> {
        let kept: HashSet<(i64, i64)> = request
            .keep
            .iter()
            .map(|lease| (lease.run, lease.token))
            .collect();
        let held: Vec<(i64, i64)> = self
            .connection
            .prepare_cached("SELECT number, token FROM runs WHERE worker = ?1")?
            .query_map(params![request.worker.0], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let given_back = held.iter().filter(|run| !kept.contains(run));
        let mut count = 0;
        for (number, _) in given_back {
            count += self.execute(
                "UPDATE runs SET worker = NULL, due_at = ?2, status = ?3 WHERE number = ?1",
                params![
                    number,
                    request.now.as_millis(),
                    status_number(RunStatus::Suspended)
                ],
            )?;
        }
        self.wakes |= count > 0;
        Ok(count)
    }

    /// Makes the runs of all sessions due whose time has ended.
    ///
    /// Answers when the next delayed event becomes visible, as `next_to_show` does: one statement for both is all that a claim can
    /// spare.
    pub(super) fn release_expired(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
        let found: Vec<(Option<i64>, i64)> = self
            .connection
            .prepare_cached(
                "SELECT id, lease_until FROM workers
                 WHERE lease_until <= ?1 AND EXISTS (SELECT 1 FROM runs WHERE worker = workers.id)
                 UNION ALL
                 SELECT NULL, visible_at FROM (SELECT visible_at FROM events WHERE place = 0 ORDER BY visible_at LIMIT 1)",
            )?
            .query_map(params![now.as_millis()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut next_to_show = None;
        for (worker, time) in found {
            let time = Timestamp::from_millis(time);
            match worker {
                Some(worker) => self.crash_runs(WorkerId(worker), time)?,
                None => next_to_show = Some(time),
            }
        }
        Ok(next_to_show)
    }

    /// Makes the runs of a session due that ended without having given them back.
    fn crash_runs(&mut self, worker: WorkerId, due_at: Timestamp) -> Result<(), Fault> {
        let released = self.execute(
            "UPDATE runs SET worker = NULL, due_at = ?2, status = ?3,
                 crashes = iif(recorded.much > crash_progress, 1, crashes + 1), crash_progress = recorded.much
             FROM (SELECT held.number AS number, held.failed_attempts
                       + coalesce((SELECT sum(1 + attempts) FROM steps WHERE run = held.number), 0) AS much
                   FROM runs AS held WHERE held.worker = ?1) AS recorded
             WHERE runs.number = recorded.number",
            params![
                worker.0,
                due_at.as_millis(),
                status_number(RunStatus::Suspended)
            ],
        )?;
        self.wakes |= released > 0;
        Ok(())
    }

    fn release_runs(&mut self, worker: WorkerId, due_at: Timestamp) -> Result<(), Fault> {
        let released = self.execute(
            "UPDATE runs SET worker = NULL, due_at = ?2, status = ?3 WHERE worker = ?1",
            params![
                worker.0,
                due_at.as_millis(),
                status_number(RunStatus::Suspended)
            ],
        )?;
        self.wakes |= released > 0;
        Ok(())
    }

    fn sessions(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<WorkerId>, Fault> {
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_map(params, |row| row.get(0).map(WorkerId))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(found)
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    Timestamp::from_millis(0).after(duration).as_millis()
}
