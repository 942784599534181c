//! Transactions of steps: rows of the user's and the record of the step in one commit.

use std::sync::Arc;

use sqlx::{PgPool, Transaction, postgres::PgPoolOptions};

use super::{
    Postgres, connections::in_time, database::Database, error::Fault, sql::Parameters,
    text::to_column,
};
use crate::{
    error::{Error, ErrorKind, Result, terminal},
    store::{
        Entry, Lease, Timestamp,
        transactions::{Attempt, End},
    },
};

/// The server looks whether a client is there that has a transaction open and says nothing: one that vanished has locks of the user's.
/// It finds out within about a minute.
const KEEPALIVE: &str =
    "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 4";

/// A transaction that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) inner: Transaction<'static, sqlx::Postgres>,
    /// Set until its end, by which it is known again.
    name: String,
}

impl Postgres {
    /// Begins a transaction on a connection that is the user's until its end: none of the settings of the store's own are made.
    ///
    /// # Errors
    /// There is no connection.
    pub(crate) async fn open_transaction(&self) -> Result<Opened> {
        let database = &*self.inner.database;
        let name = format!("{:016x}", fastrand::u64(..));
        // The role, or a setting of the server's, may make transactions read-only by default.
        let sql: Arc<str> =
            format!("BEGIN READ WRITE; SET LOCAL belts_store.within = '{name}'").into();
        let pool = database.transactions();
        let begin = || in_time(pool.begin_with(sqlx::AssertSqlSafe(Arc::clone(&sql))));
        let mut opened = begin().await;
        // One that lay in the pool may have been cut off meanwhile.
        for _ in 0..pool.size() {
            match &opened {
                Err(fault) if fault.is_of_the_connection() && !fault.found_nobody() => {
                    opened = begin().await;
                }
                _ => break,
            }
        }
        let inner = self.answer(opened)?;
        Ok(Opened { inner, name })
    }

    /// Records the step in the transaction and commits it, or rolls it back.
    ///
    /// # Errors
    /// It is not known, and cannot be found out, whether it was committed.
    pub(crate) async fn end_transaction(
        &self,
        mut opened: Opened,
        lease: Lease,
        entry: &Entry,
    ) -> Result<End> {
        let database = &*self.inner.database;
        let parameters = self.answer(parameters(&opened.name, lease, entry).arguments())?;
        let record = sqlx::query_scalar_with(database.sql.record_within.sql(), parameters);
        let recorded: Result<String, Fault> = in_time(record.fetch_one(&mut *opened.inner)).await;
        match recorded.as_deref() {
            Ok("written") => {}
            Ok("lost") => {
                roll_back(opened).await;
                return Ok(End::Lost);
            }
            Ok(_) => {
                roll_back(opened).await;
                return self.settle(lease, entry).await;
            }
            Err(_) => {
                roll_back(opened).await;
                return self
                    .not_recorded(recorded.expect_err("it is an error"))
                    .await;
            }
        }
        match in_time(opened.inner.commit()).await {
            Ok(()) => Ok(End::Committed(None)),
            Err(fault) if fault.is_of_the_connection() => self.settle(lease, entry).await,
            Err(fault) if fault.is_of_the_moment() => Ok(End::Again(self.error(fault))),
            // A constraint that is checked at the commit.
            Err(fault) => Ok(End::Failed(own(fault))),
        }
    }

    /// Looks what is recorded, once whoever may be writing it has done so.
    async fn settle(&self, lease: Lease, entry: &Entry) -> Result<End> {
        let database = &*self.inner.database;
        let look = async |_| {
            let parameters = Parameters::default()
                .bind(lease.run)
                .bind(entry.seq.cast_signed());
            database.row(&database.sql.recorded, parameters).await
        };
        let (recorded,): (Option<Vec<u8>>,) = self.answer(database.insist(look).await)?;
        let nothing = || {
            Error::new(
                ErrorKind::Store,
                format!(
                    "the connection to {} failed, and nothing of the transaction was committed",
                    database.server
                ),
            )
        };
        Ok(match recorded {
            Some(value) if *value == *entry.value => End::Committed(None),
            Some(value) => End::Committed(Some(Arc::from(value))),
            None => End::Again(nothing()),
        })
    }

    /// What the step's record was refused for. Nothing was committed.
    async fn not_recorded(&self, fault: Fault) -> Result<End> {
        if fault.is_of_the_moment() || fault.is_of_the_connection() {
            return Ok(End::Again(self.error(fault)));
        }
        let error = if fault.has_code(&["25P02"]) {
            Error::new(
                ErrorKind::Failed,
                "a statement of the transaction has failed, and the closure returned `Ok` all the same: what failed has ended the \
                 transaction, so return the error, or put the statement into a savepoint, `tx.begin()`",
            )
        } else if fault.has_code(&["BELT2"]) {
            terminal(
                "a statement in the closure has ended the transaction, by `COMMIT` or `ROLLBACK`, so the step cannot be recorded with \
                 it: leave the end to `transaction!`",
            )
        } else if fault.has_code(&["BELT4"]) {
            terminal(
                "a statement in the closure has made the transaction read-only, so the step cannot be recorded with it: leave `SET \
                 TRANSACTION READ ONLY` out",
            )
        } else if fault.has_code(&["42501"]) && self.may_record().await {
            terminal(
                "a statement in the closure has set a role that may not record the step: end the closure with `RESET ROLE`",
            )
        } else {
            return Err(self.error(fault));
        };
        Ok(End::Failed(error))
    }

    /// Whether the role of the store itself has the right to it.
    async fn may_record(&self) -> bool {
        let database = &*self.inner.database;
        let asked = database.row(&database.sql.may_record, Parameters::default());
        asked.await.is_ok_and(|(may,): (bool,)| may)
    }

    fn error(&self, fault: Fault) -> Error {
        self.inner.database.error(fault)
    }
}

impl Database {
    /// Where transactions get their connections: a pool of the user's, or one beside that of the store, which keeps its own.
    fn transactions(&self) -> &PgPool {
        let pool = self.connections().pool();
        if !self.has_own_pool {
            return pool;
        }
        self.beside.get_or_init(|| {
            let options = pool.options();
            PgPoolOptions::new()
                .max_connections(options.get_max_connections())
                .acquire_timeout(options.get_acquire_timeout())
                .test_before_acquire(false)
                .after_connect(|connection, _| {
                    let set = sqlx::raw_sql(KEEPALIVE).execute(connection);
                    Box::pin(async move { set.await.map(drop) })
                })
                .connect_lazy_with((*pool.connect_options()).clone())
        })
    }
}

/// What the user's own error in a transaction says of the store; `None` where it is an outcome of the step.
pub(crate) fn attempt_of(error: &Error) -> Option<Attempt> {
    let fault = error.find::<sqlx::Error>()?;
    let code = fault
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        Some("40001" | "40P01") => Some(Attempt::Again),
        Some("57P01" | "57P02" | "57P03") => Some(Attempt::Cut),
        Some(code) if code.starts_with("08") => Some(Attempt::Cut),
        Some(_) => None,
        None => match fault {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::PoolClosed => Some(Attempt::Cut),
            _ => None,
        },
    }
}

fn parameters(name: &str, lease: Lease, entry: &Entry) -> Parameters {
    let now = entry.finished_at.unwrap_or(entry.started_at);
    Parameters::default()
        .bind(name)
        .bind(lease.run)
        .bind(lease.worker.0)
        .bind(lease.token)
        .bind(entry.seq.cast_signed())
        .bind(entry.attempts.cast_signed())
        .bind(entry.started_at.as_millis())
        .bind(Timestamp::as_millis(now))
        .bind(to_column(&entry.path))
        .bind(to_column(&entry.type_name))
        .bind(&*entry.value)
        .bind(entry.undoable)
}

/// Where this fails, the connection is closed and the server does it.
pub(crate) async fn roll_back(opened: Opened) {
    if let Err(fault) = in_time(opened.inner.rollback()).await {
        tracing::debug!(%fault, "a transaction was left to the server to roll back");
    }
}

/// An error of the user's rows.
fn own(fault: Fault) -> Error {
    match fault {
        Fault::Sql(source) => match Arc::try_unwrap(source) {
            Ok(source) => Error::from_any(source),
            Err(source) => Error::from_any(Fault::Sql(source)),
        },
        fault => Error::from_any(fault),
    }
}
