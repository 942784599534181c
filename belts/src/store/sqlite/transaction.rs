//! Transactions of steps: rows of the user's and the record of the step in one commit.

use std::{sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{
    Sqlite,
    connect::connect_for_users,
    error::Fault,
    rows::{UNDOABLE, state_number},
    tx::{Recall, Tx},
};
use crate::{
    error::{Error, Result, terminal},
    store::{
        Commit, CommitBatch, CommitOutcome, Entry, Lease, StepState, Timestamp, transactions::End,
    },
};

/// The most idle connections that are kept.
const MAX_IDLE: usize = 4;

/// How long it waits while another process writes, and how long in all, as the writer does.
const PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSES: u32 = 2_500;

/// What the user's closure has come to: the record of the step, or the failure of the attempt.
pub(crate) type Body<'a> = &'a mut (dyn FnMut(&Transaction<'_>) -> Result<Entry> + Send);

impl Sqlite {
    /// Does what `body` does, and records the step with it in one commit; or nothing at all.
    ///
    /// Nobody else of this process writes meanwhile. It is done on this thread, as a commit of the store's own may be.
    ///
    /// # Errors
    /// The database cannot be written, and nothing was; or it is not known whether it was.
    pub(crate) async fn in_transaction(&self, lease: Lease, body: Body<'_>) -> Result<End> {
        let writer = &self.inner.writer;
        let failed = |fault: Fault| fault.into_error(writer.path());
        for pauses in 0.. {
            let turn = writer.turn().await;
            let idle = writer.lent().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => connect_for_users(writer.path(), writer.synchronous())
                    .map_err(|error| failed(error.into()))?,
            };
            let done = self.transact_on(&connection, lease, body);
            if connection.is_autocommit() {
                let mut idle = writer.lent();
                if idle.len() < MAX_IDLE {
                    idle.push(connection);
                }
            }
            drop(turn);
            match done {
                Err(Stopped::Busy(_)) if pauses < MAX_PAUSES => pause().await,
                Err(Stopped::Busy(fault) | Stopped::By(fault)) => return Err(failed(fault)),
                Ok(end) => return Ok(end),
            }
        }
        unreachable!("the loop above has no end but those within it")
    }

    fn transact_on(
        &self,
        connection: &Connection,
        lease: Lease,
        body: Body<'_>,
    ) -> Result<End, Stopped> {
        let writer = &self.inner.writer;
        writer.presence.check()?;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
        let transaction = transaction.map_err(|error| Stopped::of_the_beginning(error.into()))?;
        transaction
            .execute_batch("SAVEPOINT belts_step")
            .map_err(Fault::from)?;
        let entry = match body(&transaction) {
            Ok(entry) => entry,
            Err(error) => {
                // Where it cannot, what follows on this connection says so.
                drop(transaction);
                return Ok(End::Failed(error));
            }
        };
        // There is none any more after `COMMIT`, whatever was begun since.
        let is_whole =
            !connection.is_autocommit() && transaction.execute_batch("RELEASE belts_step").is_ok();
        if !is_whole {
            return Ok(End::Failed(terminal(
                "a statement in the closure has ended the transaction, by `COMMIT` or `ROLLBACK`, so the step cannot be recorded with \
                 it: leave the end to `transaction!`",
            )));
        }
        if let Some(value) = recorded(&transaction, lease, &entry)? {
            return Ok(End::Committed(Some(value)));
        }
        let mut recall = Recall::default();
        let mut tx = Tx::new(&transaction, &writer.names, &mut recall);
        let now = entry.finished_at.unwrap_or(entry.started_at);
        if tx.commit(&batch(lease, &entry, now))? != [CommitOutcome::Applied] {
            return Ok(End::Lost);
        }
        writer.presence.check()?;
        let wakes = tx.wakes;
        let committed = transaction.execute_batch("COMMIT");
        if wakes {
            writer.wake.wake();
        }
        match committed {
            Ok(()) => Ok(End::Committed(None)),
            // A constraint that is checked at the commit is the user's own.
            Err(error) if is_constraint(&error) => Ok(End::Failed(Error::from_any(error))),
            Err(error) if !connection.is_autocommit() => Err(Stopped::By(error.into())),
            // SQLite has ended it one way or the other.
            Err(error) => match recorded(connection, lease, &entry)? {
                Some(value) if value == entry.value => Ok(End::Committed(None)),
                _ => Err(Stopped::By(error.into())),
            },
        }
    }
}

/// Why there was no transaction.
enum Stopped {
    /// Another process writes.
    Busy(Fault),
    By(Fault),
}

impl Stopped {
    fn of_the_beginning(fault: Fault) -> Self {
        if fault.is_busy() {
            Self::Busy(fault)
        } else {
            Self::By(fault)
        }
    }
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::By(fault)
    }
}

/// What is recorded of the step already.
fn recorded(
    connection: &Connection,
    lease: Lease,
    entry: &Entry,
) -> Result<Option<Arc<[u8]>>, Fault> {
    let found: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT value FROM main.steps WHERE run = ?1 AND seq = ?2 AND state IN (?3, ?4)",
        )?
        .query_row(
            params![
                lease.run,
                entry.seq,
                state_number(StepState::Completed),
                UNDOABLE
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.map(Arc::from))
}

fn batch(lease: Lease, entry: &Entry, now: Timestamp) -> CommitBatch {
    CommitBatch::new(
        vec![Commit::new(lease).with_entries(vec![entry.clone()])],
        now,
    )
}

fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how soon a locked file is asked for again is no matter of the worker's clock"
)]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}
