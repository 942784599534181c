//! What every part of a store needs: the connections, the statements, and the patience to find out what became of a write.

use std::{
    future::Future,
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sqlx::{FromRow, PgPool, postgres::PgRow};
use tokio::time::Instant;

use super::{
    connections::{Connections, Loan},
    error::{Fault, Server},
    last_look::LastLook,
    schema::Schema,
    sql::{Parameters, Statement, Statements},
};
use crate::{error::Error, plain::Clean, store::parts::Wake};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Database {
    connections: Connections,
    pub(super) schema: Schema,
    pub(super) server: Server,
    pub(super) sql: Statements,
    /// By this name the store knows its own notifications.
    pub(super) store: String,
    pub(super) wake: Wake,
    pub(super) last_look: LastLook,
    /// Whether the pool is one that the store has made, of which it keeps all connections.
    pub(super) has_own_pool: bool,
    /// The pool for transactions, where that of the store is its own.
    pub(super) beside: OnceLock<PgPool>,
    /// Which store this is. Whoever publishes in a transaction needs it, and may have no second connection to ask on.
    pub(super) identity: String,
    /// For how long something is sent again whose outcome is unknown, or for which there was no connection.
    retry_for: Duration,
    /// Numbers the calls that give leases.
    calls: AtomicI64,
}

impl Database {
    pub(super) fn new(
        connections: Connections,
        schema: Schema,
        server: Server,
        retry_for: Duration,
    ) -> Self {
        Self {
            connections,
            sql: Statements::new(&schema),
            schema,
            server,
            store: crate::store::parts::new_id().to_string(),
            wake: Wake::default(),
            last_look: LastLook::default(),
            has_own_pool: false,
            beside: OnceLock::new(),
            identity: String::new(),
            retry_for,
            calls: AtomicI64::new(0),
        }
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }

    pub(super) async fn lend(&self) -> Result<Loan<'_>, Fault> {
        self.connections.lend().await
    }

    /// The one row that a statement answers with.
    pub(super) async fn row<O>(
        &self,
        statement: &Statement,
        parameters: Parameters,
    ) -> Result<O, Fault>
    where
        O: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut loan = self.lend().await?;
        let row = loan.row(statement, parameters).await;
        loan.keep(row)
    }

    pub(super) async fn rows(
        &self,
        statement: &Statement,
        parameters: Parameters,
    ) -> Result<Vec<PgRow>, Fault> {
        let mut loan = self.lend().await?;
        let rows = loan.rows(statement, parameters).await;
        loan.keep(rows)
    }

    /// As [`row`](Self::row), also while the runtime is blocked that drives the other connections.
    pub(super) async fn row_beside<O>(
        &self,
        statement: &Statement,
        parameters: Parameters,
    ) -> Result<O, Fault>
    where
        O: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut loan = self.connections.lend_beside().await?;
        let row = loan.row(statement, parameters).await;
        loan.keep(row)
    }

    /// As [`rows`](Self::rows), also while the runtime is blocked that drives the other connections.
    pub(super) async fn rows_beside(
        &self,
        statement: &Statement,
        parameters: Parameters,
    ) -> Result<Vec<PgRow>, Fault> {
        let mut loan = self.connections.lend_beside().await?;
        let rows = loan.rows(statement, parameters).await;
        loan.keep(rows)
    }

    pub(super) fn next_call(&self) -> i64 {
        self.calls.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(super) fn error(&self, fault: Fault) -> Error {
        fault.into_error(&self.server)
    }

    /// Wakes the workers of this process if runs were left due. The others were notified in the write.
    pub(super) fn wake_if(&self, left_due: bool) {
        if left_due {
            self.wake.wake();
        }
    }

    /// Does a write until its outcome is known.
    ///
    /// `write` is told whether it was sent before: then it may have happened already, without our having heard of it.
    pub(super) async fn insist<T, W>(&self, write: impl Fn(bool) -> W) -> Result<T, Fault>
    where
        W: Future<Output = Result<T, Fault>>,
    {
        let begun = Instant::now();
        let mut again: Option<Again> = None;
        loop {
            let resent = again.as_ref().is_some_and(|again| again.resent);
            let fault = match write(resent).await {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            let again = again.get_or_insert_with(|| Again::of(&fault, begun));
            if !again.after(&fault, self.retry_for) {
                return Err(fault);
            }
            again.pause().await;
        }
    }
}

/// The state of one who insists.
struct Again {
    since: Instant,
    pause: Duration,
    resent: bool,
}

impl Again {
    /// From the first fault on, or from the beginning where there was no connection.
    fn of(fault: &Fault, begun: Instant) -> Self {
        Self {
            since: if fault.found_nobody() {
                begun
            } else {
                Instant::now()
            },
            pause: Duration::ZERO,
            resent: false,
        }
    }

    /// Whether to try again after this.
    fn after(&mut self, fault: &Fault, retry_for: Duration) -> bool {
        let of_the_connection = fault.is_of_the_connection();
        if of_the_connection {
            tracing::warn!(fault = %Clean(&fault), "the connection to Postgres failed; requests in flight are retried");
            self.resent = true;
        }
        if matches!(fault, Fault::Stale) {
            // The server has nothing to recover from. Whoever is slow to look again finds the subscriptions changed once more.
            self.pause = Duration::ZERO;
        }
        (of_the_connection || fault.is_of_the_moment()) && self.since.elapsed() < retry_for
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how soon a server is asked again is no matter of the worker's clock"
    )]
    async fn pause(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
    }
}
