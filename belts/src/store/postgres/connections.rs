//! The connections of a store: taken from the pool once and kept, since a pool asks the server at each loan.
//!
//! A few settings of the session make every plan the same, whatever the server believes about the size of our tables, so
//! a connection that was ours is never given back to the pool, but closed.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::join_all};
use sqlx::{FromRow, PgConnection, PgPool, Postgres, pool::PoolConnection, postgres::PgRow};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    error::Fault,
    sql::{Parameters, Statement},
};

/// A server that does not answer for so long is given up, and the connection with it.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection that nobody has used for so long is closed: something on the way may have forgotten it.
const KEEP: Duration = Duration::from_secs(60);

/// Tables that were empty a minute ago make the planner read them whole. Generic plans are made once for each connection.
const SETTINGS: &str = "
    SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
    SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off;
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET idle_in_transaction_session_timeout = '60s'";

#[derive(Debug)]
pub(super) struct Connections {
    pool: PgPool,
    permits: Semaphore,
    /// The last one used is the first one lent, so that the others grow old.
    idle: Mutex<Vec<Idle>>,
}

/// A connection that is ours.
#[derive(Debug)]
struct Held(Option<PoolConnection<Postgres>>);

/// A connection that nobody uses.
#[derive(Debug)]
struct Idle {
    held: Held,
    since: Instant,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The pool would ask the server on a task of its own, and there may be no runtime for that any more.
        drop(self.0.take().map(PoolConnection::detach));
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle());
        // Says goodbye where there is time for it, so that the server has nothing to complain of in its log.
        if let Ok(runtime) = Handle::try_current() {
            let goodbyes = idle.into_iter().filter_map(|mut idle| idle.held.0.take());
            runtime.spawn(in_time(
                join_all(goodbyes.map(PoolConnection::close)).map(Ok),
            ));
        }
    }
}

/// A connection for one write or read. Unless it is kept at the end, it is closed: nobody knows what it is busy with.
#[derive(Debug)]
pub(super) struct Loan<'a> {
    connections: &'a Connections,
    held: Held,
    _permit: SemaphorePermit<'a>,
}

impl Idle {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < KEEP
    }
}

impl Connections {
    pub(super) fn new(pool: PgPool, most: u32) -> Self {
        Self {
            pool,
            permits: Semaphore::new(most as usize),
            idle: Mutex::default(),
        }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn lend(&self) -> Result<Loan<'_>, Fault> {
        let permit = self.permits.acquire().await.map_err(|_| Fault::Ended)?;
        let idle = self.idle().pop().filter(Idle::is_fresh);
        let held = match idle {
            Some(idle) => idle.held,
            None => self.take().await?,
        };
        Ok(Loan {
            connections: self,
            held,
            _permit: permit,
        })
    }

    async fn take(&self) -> Result<Held, Fault> {
        in_time(async {
            let mut held = Held(Some(self.pool.acquire().await?));
            if let Some(connection) = &mut held.0 {
                sqlx::raw_sql(SETTINGS).execute(&mut **connection).await?;
            }
            Ok(held)
        })
        .await
    }

    /// Closes the connections that nobody uses: after one has failed, the others have mostly failed as well.
    fn forget(&self) {
        self.idle().clear();
    }

    /// Keeps a connection, and closes the one that nobody has needed for longest.
    fn put(&self, held: Held) {
        let mut idle = self.idle();
        let stale = idle.first().is_some_and(|first| !first.is_fresh());
        let stale = stale.then(|| idle.remove(0));
        idle.push(Idle {
            held,
            since: Instant::now(),
        });
        drop(idle);
        drop(stale);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loan<'_> {
    fn connection(&mut self) -> &mut PgConnection {
        self.held
            .0
            .as_mut()
            .expect("a loan has its connection until it is dropped")
    }

    /// The one row that a statement answers with.
    pub(super) async fn row<O>(
        &mut self,
        statement: &Statement,
        parameters: Parameters,
    ) -> Result<O, Fault>
    where
        O: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let query = sqlx::query_as_with(statement.sql(), parameters.arguments()?);
        in_time(query.fetch_one(self.connection())).await
    }

    pub(super) async fn rows(
        &mut self,
        statement: &Statement,
        parameters: Parameters,
    ) -> Result<Vec<PgRow>, Fault> {
        let query = sqlx::query_with(statement.sql(), parameters.arguments()?);
        in_time(query.fetch_all(self.connection())).await
    }

    pub(super) async fn run(&mut self, script: &'static str) -> Result<(), Fault> {
        in_time(sqlx::raw_sql(script).execute(self.connection()))
            .await
            .map(drop)
    }

    /// Keeps the connection for others, unless `result` tells that it is of no use.
    pub(super) fn keep<T>(mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        match &result {
            Err(fault) if fault.is_of_the_connection() => self.connections.forget(),
            _ => {
                let held = Held(self.held.0.take());
                self.connections.put(held);
            }
        }
        result
    }
}

/// Waits for an answer, but not for ever: the other end of a connection may be gone without a word.
pub(super) async fn in_time<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(result) => result.map_err(Fault::from),
        Err(_) => Err(Fault::Silent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silent_server_is_given_up() {
        let fault = in_time(std::future::pending::<Result<(), _>>()).await;
        let fault = fault.expect_err("no answer comes");
        assert!(fault.is_of_the_connection(), "{fault}");
    }
}
