//! One write transaction, and what the store remembers between transactions.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    awaited::Awaited,
    error::Fault,
    names::{Dictionary, SharedNames},
};
use crate::store::{Limits, Timestamp, WorkerId};

/// What is remembered between transactions, until another process or a registration changes it.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// SQLite's counter of the commits of others, as last seen.
    data_version: Option<i64>,
    /// The functions of each event type, sorted by id.
    subscribers: HashMap<i64, Arc<[i64]>>,
    /// Which functions may wait for events.
    pub(super) awaited: Option<Awaited>,
    /// The functions of which nothing is claimed.
    pub(super) paused: Option<HashSet<i64>>,
    /// How much time the runs of functions have, where they have limits.
    pub(super) limits: Option<HashMap<i64, Limits>>,
    /// Whether events of earlier versions were looked for since another process has committed.
    pub(super) told: bool,
    /// The latest time at which a worker was heard of, as the database has it.
    #[expect(
        clippy::option_option,
        reason = "whether it was read, and whether there is one"
    )]
    pub(super) seen: Option<Option<Timestamp>>,
    /// The same, as this store has heard since it last looked.
    pub(super) heard: Option<Timestamp>,
}

impl Recall {
    /// Looks whether another process has committed since the last look, and if so forgets.
    pub(super) fn look(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let now: i64 = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        let changed = self
            .data_version
            .replace(now)
            .is_some_and(|before| before != now);
        if changed {
            self.forget();
        }
        Ok(changed)
    }

    pub(super) fn forget(&mut self) {
        self.subscribers.clear();
        self.awaited = None;
        self.paused = None;
        self.limits = None;
        self.told = false;
        self.seen = None;
        self.heard = None;
    }
}

/// One write transaction.
pub(super) struct Tx<'a> {
    pub(super) connection: &'a Connection,
    pub(super) names: Dictionary<'a>,
    /// Whether runs were left that other workers of this process may want.
    pub(super) wakes: bool,
    pub(super) recall: &'a mut Recall,
    looked: bool,
    /// The end of the lease of the session last asked for.
    lease_until: Option<(WorkerId, Option<Timestamp>)>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        names: &'a SharedNames,
        recall: &'a mut Recall,
    ) -> Self {
        let names = Dictionary::new(connection, names);
        Self {
            connection,
            names,
            wakes: false,
            recall,
            looked: false,
            lease_until: None,
        }
    }

    /// Runs a statement of this crate; answers how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, Fault> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// Makes sure that what is remembered is no older than this transaction.
    pub(super) fn look(&mut self) -> Result<(), Fault> {
        if !self.looked {
            self.looked = true;
            self.wakes |= self.recall.look(self.connection)?;
        }
        Ok(())
    }

    /// The functions that subscribe to an event type, sorted by id.
    pub(super) fn subscribers(&mut self, event_type: i64) -> Result<Arc<[i64]>, Fault> {
        self.look()?;
        if let Some(known) = self.recall.subscribers.get(&event_type) {
            return Ok(Arc::clone(known));
        }
        let functions: Arc<[i64]> = self
            .connection
            .prepare_cached(
                "SELECT function FROM subscriptions JOIN names ON names.id = function
                 WHERE event_type = ?1 ORDER BY names.name",
            )?
            .query_map(params![event_type], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        self.recall
            .subscribers
            .insert(event_type, Arc::clone(&functions));
        Ok(functions)
    }

    /// When the lease of a session ends; `None` if there is no such session.
    pub(super) fn lease_until(&mut self, worker: WorkerId) -> Result<Option<Timestamp>, Fault> {
        if let Some((known, until)) = self.lease_until
            && known == worker
        {
            return Ok(until);
        }
        let until = self
            .connection
            .prepare_cached("SELECT lease_until FROM workers WHERE id = ?1")?
            .query_row(params![worker.0], |row| row.get(0))
            .optional()?
            .map(Timestamp::from_millis);
        self.lease_until = Some((worker, until));
        Ok(until)
    }

    pub(super) fn is_alive(&mut self, worker: WorkerId, now: Timestamp) -> Result<bool, Fault> {
        Ok(self.lease_until(worker)?.is_some_and(|until| now < until))
    }

    /// Says that the end of a lease was changed.
    pub(super) fn forget_lease(&mut self) {
        self.lease_until = None;
    }

    /// Says that sessions or subscriptions were changed.
    pub(super) fn forget(&mut self) {
        self.forget_lease();
        self.recall.forget();
    }
}
