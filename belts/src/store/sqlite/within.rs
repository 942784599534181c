//! Publishing on a connection of somebody else's, in whatever transaction that is.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::{
    Sqlite,
    error::{Fault, config},
    tx::{Recall, Tx},
};
use crate::{
    error::{Error, Result},
    store::{PublishedEvent, Timestamp, transactions::Within},
};

impl Sqlite {
    /// Publishes events in a transaction. The answers stand in the order of the events; there is none for one that must start
    /// something and does not, of which nothing was written. Where it fails, nothing was written at all.
    ///
    /// # Errors
    /// The transaction is on another database, or cannot write.
    pub(crate) fn publish_within(
        &self,
        transaction: &Transaction<'_>,
        events: &[Within],
        now: Timestamp,
    ) -> Result<Vec<Option<PublishedEvent>>> {
        let writer = &*self.inner.writer;
        let path = writer.path();
        let failed = |fault: Fault| failed(fault, path);
        writer.presence.check().map_err(failed)?;
        let connection: &Connection = transaction;
        if !connection
            .path()
            .is_some_and(|at| writer.presence.is_at(Path::new(at)))
        {
            return Err(elsewhere(connection, path));
        }
        if let Some(table) = hidden(connection).map_err(failed)? {
            return Err(config(format!(
                "the connection of the transaction has a temporary table `{table}`, which hides the table of that name that belts \
                 writes to in {}; give it another name",
                path.display()
            )));
        }
        let mut recall = Recall::default();
        let mut tx = Tx::new(connection, &writer.names, &mut recall);
        whole(connection, || {
            let mut answers = Vec::with_capacity(events.len());
            for Within { event, must_start } in events {
                let mut publish = || tx.publish_one(event, now, None);
                let answer = if *must_start {
                    unless(connection, publish, |answer| {
                        !answer.duplicate && answer.runs.is_empty()
                    })?
                } else {
                    Some(publish()?)
                };
                answers.push(answer);
            }
            Ok(answers)
        })
        .map_err(failed)
    }
}

/// Does all of it or, in a transaction that goes on, nothing.
fn whole<T>(connection: &Connection, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let done = unless(connection, work, |_| false)?;
    done.ok_or(Fault::Row("answer"))
}

/// Does it, and takes it back if the answer is one that is not wanted.
fn unless<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, Fault>,
    is_unwanted: impl FnOnce(&T) -> bool,
) -> Result<Option<T>, Fault> {
    connection.execute_batch("SAVEPOINT belts_within")?;
    let done = work();
    let kept = done.as_ref().is_ok_and(|answer| !is_unwanted(answer));
    let end = if kept {
        "RELEASE belts_within"
    } else {
        "ROLLBACK TO belts_within; RELEASE belts_within"
    };
    match (connection.execute_batch(end), done) {
        (Ok(()), Ok(answer)) => Ok(kept.then_some(answer)),
        // After some errors SQLite has rolled back the whole transaction.
        (_, Err(fault)) => Err(fault),
        (Err(error), Ok(_)) => Err(error.into()),
    }
}

/// A temporary table that would be written in place of one of ours.
fn hidden(connection: &Connection) -> Result<Option<String>, Fault> {
    let found = connection
        .prepare_cached(
            "SELECT name FROM temp.sqlite_schema WHERE type IN ('table', 'view') AND lower(name) IN ('names', 'subscriptions', 'workers',
                 'events', 'runs', 'clock', 'awaits', 'awaited', 'places', 'waits', 'paused', 'limits')",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(found)
}

fn elsewhere(connection: &Connection, path: &Path) -> Error {
    let there = match connection.path() {
        Some(there) if !there.is_empty() => format!("on {there}"),
        _ => "on a database in memory".to_owned(),
    };
    config(format!(
        "the transaction is {there} and not on the store's database, {}. An event and rows of another database cannot be one commit: \
         write the event to an outbox table there, and have a function publish what is in it. The guide on transactions shows both",
        path.display()
    ))
}

fn failed(fault: Fault, path: &Path) -> Error {
    if fault.is_busy() {
        let message = format!(
            "the transaction cannot write to {} since another one has written meanwhile, or is writing; begin it with \
             `TransactionBehavior::Immediate`, and give its connection a `busy_timeout`",
            path.display()
        );
        return Error::store(message, fault);
    }
    fault.into_error(path)
}
