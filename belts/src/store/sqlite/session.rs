//! Workers' sessions in SQLite: who is there, until when, and what they subscribe to.

use std::{collections::HashSet, sync::Arc, time::Duration};

use rusqlite::{Connection, params};

use super::{
    error::Fault,
    names::{Dictionary, SharedNames},
    rows::status_number,
    tx::Tx,
};
use crate::{
    error::Error,
    store::{Register, Release, RunStatus, Subscription, Timestamp, WorkerId, unknown_session},
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
        let mut ended = Vec::new();
        if let Some(name) = &request.name {
            ended = self.sessions("SELECT id FROM workers WHERE name = ?1", params![&**name])?;
            for worker in &ended {
                self.end_session(*worker, request.now)?;
            }
        }
        let forgotten = request.now.before(FORGET_AFTER).as_millis();
        for worker in self.sessions(
            "SELECT id FROM workers WHERE lease_until < ?1",
            params![forgotten],
        )? {
            self.end_session(worker, request.now)?;
        }
        for subscription in &request.subscriptions {
            self.subscribe(subscription)?;
        }
        self.execute(
            "INSERT INTO workers (name, lease_until, lease) VALUES (?1, ?2, ?3)",
            params![
                request.name.as_deref(),
                request.now.after(request.lease).as_millis(),
                millis(request.lease)
            ],
        )?;
        Ok((WorkerId(self.connection.last_insert_rowid()), ended))
    }

    /// Ends a session: its runs are due.
    pub(super) fn end_session(&mut self, worker: WorkerId, now: Timestamp) -> Result<(), Fault> {
        self.forget();
        self.release_runs(worker, now)?;
        self.execute("DELETE FROM workers WHERE id = ?1", params![worker.0])?;
        Ok(())
    }

    pub(super) fn renew(
        &mut self,
        worker: WorkerId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Result<(), Error>, Fault> {
        if let Err(unknown) = self.revive(worker, now)? {
            return Ok(Err(unknown));
        }
        self.forget_lease();
        self.execute(
            "UPDATE workers SET lease_until = ?2, lease = ?3 WHERE id = ?1",
            params![worker.0, now.after(lease).as_millis(), millis(lease)],
        )?;
        Ok(Ok(()))
    }

    /// Makes sure that a session lives. One whose time had ended begins anew, without the runs that it had.
    pub(super) fn revive(
        &mut self,
        worker: WorkerId,
        now: Timestamp,
    ) -> Result<Result<(), Error>, Fault> {
        let Some(until) = self.lease_until(worker)? else {
            return Ok(Err(unknown_session(worker)));
        };
        if until <= now {
            self.release_runs(worker, until)?;
            self.forget_lease();
            self.execute(
                "UPDATE workers SET lease_until = ?2 + lease WHERE id = ?1",
                params![worker.0, now.as_millis()],
            )?;
        }
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
    pub(super) fn release_expired(&mut self, now: Timestamp) -> Result<(), Fault> {
        let mut ended = self.connection.prepare_cached(
            "SELECT id, lease_until FROM workers
             WHERE lease_until <= ?1 AND EXISTS (SELECT 1 FROM runs WHERE worker = workers.id)",
        )?;
        let mut rows = ended.query(params![now.as_millis()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((WorkerId(row.get(0)?), Timestamp::from_millis(row.get(1)?)));
        }
        for (worker, until) in found {
            self.release_runs(worker, until)?;
        }
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

    fn subscribe(&mut self, subscription: &Subscription) -> Result<(), Fault> {
        let function = self.names.number(&subscription.function_id)?;
        self.execute(
            "DELETE FROM subscriptions WHERE function = ?1",
            params![function],
        )?;
        for event_type in &subscription.event_types {
            let event_type = self.names.number(event_type)?;
            self.execute(
                "INSERT OR IGNORE INTO subscriptions (event_type, function) VALUES (?1, ?2)",
                params![event_type, function],
            )?;
        }
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

/// Every function that subscribes to something, sorted by id.
pub(super) fn subscriptions(
    connection: &Connection,
    names: &SharedNames,
) -> Result<Vec<Subscription>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut statement =
        connection.prepare_cached("SELECT function, event_type FROM subscriptions")?;
    let mut rows = statement.query([])?;
    let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    while let Some(row) = rows.next()? {
        pairs.push((dictionary.name(row.get(0)?)?, dictionary.name(row.get(1)?)?));
    }
    pairs.sort();
    let mut all: Vec<Subscription> = Vec::new();
    for (function_id, event_type) in pairs {
        match all.last_mut() {
            Some(last) if last.function_id == function_id => last.event_types.push(event_type),
            _ => all.push(Subscription {
                function_id,
                event_types: vec![event_type],
            }),
        }
    }
    Ok(all)
}

fn millis(duration: Duration) -> i64 {
    Timestamp::from_millis(0).after(duration).as_millis()
}
