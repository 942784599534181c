//! Which functions an event starts, in SQLite: the subscriptions of each session, and all of them merged.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, params};

use super::{
    error::Fault,
    names::{Dictionary, SharedNames},
    tx::Tx,
};
use crate::store::{
    Subscription, Timestamp, WorkerId,
    parts::{SessionSubscriptions, add_row, merge_subscriptions},
};

/// In place of an event type: the function listens for nothing.
const NOTHING: i64 = 0;

/// A function and an event type, by their numbers.
type Pair = (i64, i64);

impl Tx<'_> {
    /// Keeps what a new session wants.
    pub(super) fn want(
        &mut self,
        session: WorkerId,
        subscriptions: &[Subscription],
    ) -> Result<(), Fault> {
        for subscription in subscriptions {
            let function = self.names.number(&subscription.function_id)?;
            if subscription.event_types.is_empty() {
                self.want_one(session, (function, NOTHING))?;
            }
            for event_type in &subscription.event_types {
                let event_type = self.names.number(event_type)?;
                self.want_one(session, (function, event_type))?;
            }
        }
        Ok(())
    }

    fn want_one(&self, session: WorkerId, (function, event_type): Pair) -> Result<(), Fault> {
        self.execute(
            "INSERT OR IGNORE INTO wants (session, function, event_type) VALUES (?1, ?2, ?3)",
            params![session.0, function, event_type],
        )?;
        Ok(())
    }

    /// Looks again at what the sessions want, now that one has come or has ended.
    pub(super) fn settle_wants(&mut self, now: Timestamp) -> Result<(), Fault> {
        self.adopt_earlier_sessions()?;
        let (sessions, all) = self.wants()?;
        let merged = merge_subscriptions(&all);
        for place in &merged.superseded {
            let session = params![sessions[*place]];
            self.execute("DELETE FROM wants WHERE session = ?1", session)?;
            self.execute("DELETE FROM awaits WHERE session = ?1", session)?;
        }
        let mut pairs = BTreeSet::new();
        for subscription in merged.subscriptions() {
            let function = self.names.number(&subscription.function_id)?;
            for event_type in &subscription.event_types {
                pairs.insert((function, self.names.number(event_type)?));
            }
        }
        self.replace_subscriptions(&pairs)?;
        self.settle_awaits(now)
    }

    /// Sessions of an earlier version do not say what they want: it is whatever starts functions now.
    pub(super) fn adopt_earlier_sessions(&self) -> Result<(), Fault> {
        self.execute(
            "INSERT OR IGNORE INTO wants (session, function, event_type)
             SELECT id, function, event_type FROM workers, subscriptions WHERE wants_known IS NULL",
            [],
        )?;
        self.execute(
            "UPDATE workers SET wants_known = 1 WHERE wants_known IS NULL",
            [],
        )?;
        Ok(())
    }

    /// What every session wants, or wanted; its number stands in the same place. Words that cannot be read are left out.
    fn wants(&mut self) -> Result<(Vec<i64>, Vec<SessionSubscriptions>), Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT session, function, event_type, EXISTS (SELECT 1 FROM workers WHERE id = session)
             FROM wants ORDER BY session, function",
        )?;
        let mut rows = statement.query([])?;
        let mut all: Vec<(i64, bool, Vec<Subscription>)> = Vec::new();
        while let Some(row) = rows.next()? {
            let session: i64 = row.get(0)?;
            if all.last().is_none_or(|(last, ..)| *last != session) {
                all.push((session, row.get(3)?, Vec::new()));
            }
            let event_type = match row.get(2)? {
                NOTHING => Ok(None),
                event_type => self.names.name(event_type).map(Some),
            };
            let (Ok(function_id), Ok(event_type)) = (self.names.name(row.get(1)?), event_type)
            else {
                continue;
            };
            if let Some((.., subscriptions)) = all.last_mut() {
                add_row(subscriptions, function_id, event_type);
            }
        }
        let all = all.into_iter().map(|(session, living, subscriptions)| {
            (session, SessionSubscriptions::new(living, subscriptions))
        });
        Ok(all.unzip())
    }

    fn replace_subscriptions(&self, pairs: &BTreeSet<Pair>) -> Result<(), Fault> {
        let present: BTreeSet<Pair> = self
            .connection
            .prepare_cached("SELECT function, event_type FROM subscriptions")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (function, event_type) in present.difference(pairs) {
            self.execute(
                "UPDATE subscriptions SET fallen = 1 WHERE function = ?1 AND event_type = ?2",
                params![function, event_type],
            )?;
        }
        for (function, event_type) in pairs.difference(&present) {
            self.execute(
                "INSERT INTO subscriptions (function, event_type) VALUES (?1, ?2)",
                params![function, event_type],
            )?;
        }
        self.drop_fallen()
    }

    fn drop_fallen(&self) -> Result<(), Fault> {
        self.execute("DELETE FROM subscriptions WHERE fallen IS NOT NULL", [])?;
        Ok(())
    }

    /// Drops what ended sessions wanted for a function.
    pub(super) fn forget_wants(&mut self, function: i64) -> Result<(), Fault> {
        self.execute("DELETE FROM wants WHERE function = ?1", params![function])?;
        self.execute("DELETE FROM awaits WHERE function = ?1", params![function])?;
        self.execute(
            "UPDATE subscriptions SET fallen = 1 WHERE function = ?1",
            params![function],
        )?;
        self.drop_fallen()?;
        self.forget();
        Ok(())
    }
}

/// The functions that a living session has.
pub(super) fn living_functions(
    connection: &Connection,
    now: Timestamp,
) -> Result<HashSet<i64>, Fault> {
    let functions = connection
        .prepare_cached(
            "SELECT function FROM wants JOIN workers ON workers.id = session WHERE lease_until > ?1
             UNION
             SELECT function FROM subscriptions
             WHERE EXISTS (SELECT 1 FROM workers WHERE wants_known IS NULL AND lease_until > ?1)",
        )?
        .query_map(params![now.as_millis()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(functions)
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
        // A word that is not there starts nothing.
        if let (Ok(function_id), Ok(event_type)) =
            (dictionary.name(row.get(0)?), dictionary.name(row.get(1)?))
        {
            pairs.push((function_id, event_type));
        }
    }
    pairs.sort();
    let mut all = Vec::new();
    for (function_id, event_type) in pairs {
        add_row(&mut all, function_id, Some(event_type));
    }
    Ok(all)
}
