//! The connections of a store: taken from the pool once and kept, since a pool asks the server at each loan.
//!
//! A few settings of the session make every plan the same, whatever the server believes about the size of our tables, so
//! a connection that was ours is never given back to the pool, but closed.
//!
//! A connection is driven by the runtime that opened it, so each runtime has its own: one that is blocked, or has ended, stops
//! nobody else. What must go through meanwhile, on another runtime, has a connection beside all others ([`lend_beside`]).
//!
//! [`lend_beside`]: Connections::lend_beside

use std::{
    future::Future,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::join_all};
use sqlx::{
    Connection as _, FromRow, PgConnection, PgPool, Postgres, pool::PoolConnection, postgres::PgRow,
};
use tokio::{
    runtime::{self, Handle},
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    error::Fault,
    sql::{Parameters, Statement},
};

/// A server that does not answer for so long is given up, and the connection with it.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection may take so long in any case.
const CONNECT: Duration = Duration::from_secs(1);

/// A connection that nobody has used for so long is closed: something on the way may have forgotten it.
const KEEP: Duration = Duration::from_secs(60);

/// Names are looked for in Postgres's own schema alone: functions and operators that another role put into `public` would run
/// with our rights. The role may be read-only by default. Tables that were empty a minute ago make the planner read them whole;
/// generic plans are made once for each connection. No lock is waited for as long as for an answer, so that the server does not go
/// on waiting for a client that has given up. The last one is by which a write says that it has told of the end of a run.
const SETTINGS: &str = "
    SET search_path = pg_catalog, pg_temp;
    SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
    SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off;
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET idle_in_transaction_session_timeout = '60s';
    SET lock_timeout = '3s'; SET belts_store.told = 'no'";

/// Waits for locks no longer than it takes others to end what they are at, and as long as ever again.
pub(super) const HURRY: &str = "SET lock_timeout = '100ms'";
pub(super) const REST: &str = "SET lock_timeout = '3s'";

/// Makes a connection one of ours. Nothing may be asked on it before this.
pub(super) async fn settle(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop)
}

#[derive(Debug)]
pub(super) struct Connections {
    pool: PgPool,
    /// How long one may take.
    patience: Duration,
    permits: Semaphore,
    /// The last one used is the first one lent, so that the others grow old.
    idle: Mutex<Vec<Idle>>,
    /// Those beside them: at most one for each runtime.
    beside: Mutex<Vec<Idle>>,
    /// The runtime that opened the last connection but for those beside.
    home: Mutex<Option<runtime::Id>>,
}

/// A connection that is ours.
#[derive(Debug)]
struct Held(Option<Open>);

#[derive(Debug)]
enum Open {
    Pooled(PoolConnection<Postgres>),
    Beside(PgConnection),
}

/// A connection that nobody uses.
#[derive(Debug)]
struct Idle {
    held: Held,
    since: Instant,
    runtime: Option<runtime::Id>,
}

impl Deref for Open {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Beside(connection) => connection,
        }
    }
}

impl DerefMut for Open {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Beside(connection) => connection,
        }
    }
}

impl Open {
    async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Pooled(connection) => connection.close().await,
            Self::Beside(connection) => connection.close().await,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(Open::Pooled(connection)) = self.0.take() {
            // The pool would ask the server on a task of its own, and there may be no runtime for that any more.
            drop(connection.detach());
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        let mut idle = std::mem::take(&mut *locked(&self.idle));
        idle.append(&mut locked(&self.beside));
        // Says goodbye where there is time for it, so that the server has nothing to complain of in its log.
        if let Ok(runtime) = Handle::try_current() {
            let here = Some(runtime.id());
            let ours = idle.into_iter().filter(|idle| idle.runtime == here);
            let goodbyes = ours.filter_map(|mut idle| idle.held.0.take());
            runtime.spawn(in_time(join_all(goodbyes.map(Open::close)).map(Ok)));
        }
    }
}

/// A connection for one write or read. Unless it is kept at the end, it is closed: nobody knows what it is busy with.
#[derive(Debug)]
pub(super) struct Loan<'a> {
    connections: &'a Connections,
    held: Held,
    /// None of one beside.
    permit: Option<SemaphorePermit<'a>>,
}

impl Idle {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < KEEP
    }
}

impl Connections {
    pub(super) fn new(pool: PgPool, most: u32, retry_for: Duration) -> Self {
        Self {
            pool,
            patience: retry_for.clamp(CONNECT, PATIENCE),
            permits: Semaphore::new(most as usize),
            idle: Mutex::default(),
            beside: Mutex::default(),
            home: Mutex::default(),
        }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn lend(&self) -> Result<Loan<'_>, Fault> {
        let permit = self.permits.acquire().await.map_err(|_| Fault::Ended)?;
        self.lend_by(permit).await
    }

    /// A connection for what must go through while another runtime, with the connections that it opened, is blocked.
    pub(super) async fn lend_beside(&self) -> Result<Loan<'_>, Fault> {
        let home = *locked(&self.home);
        if home.is_none_or(|home| Some(home) == here())
            && let Ok(permit) = self.permits.try_acquire()
        {
            return self.lend_by(permit).await;
        }
        let known = take_fresh(&mut locked(&self.beside));
        let held = match known {
            Some(idle) => idle.held,
            None => self.open_beside().await?,
        };
        Ok(Loan {
            connections: self,
            held,
            permit: None,
        })
    }

    async fn lend_by<'a>(&'a self, permit: SemaphorePermit<'a>) -> Result<Loan<'a>, Fault> {
        let held = match self.find() {
            Some(idle) => idle.held,
            None => self.take().await?,
        };
        Ok(Loan {
            connections: self,
            held,
            permit: Some(permit),
        })
    }

    /// A connection of this runtime that nobody uses. If there is none, there is room for one more.
    fn find(&self) -> Option<Idle> {
        let mut idle = locked(&self.idle);
        let found = take_fresh(&mut idle);
        let full = found.is_none() && idle.len() > self.permits.available_permits();
        let foreign = full.then(|| idle.remove(0));
        drop(idle);
        drop(foreign);
        found
    }

    async fn take(&self) -> Result<Held, Fault> {
        let held = in_time(async {
            // The pool waits for a server that is away for longer than its callers may want to.
            let acquired = tokio::time::timeout(self.patience, self.pool.acquire());
            let acquired = acquired.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
            let mut held = Held(Some(Open::Pooled(acquired)));
            if let Some(connection) = &mut held.0 {
                settle(connection).await?;
            }
            Ok(held)
        })
        .await?;
        *locked(&self.home) = here();
        Ok(held)
    }

    async fn open_beside(&self) -> Result<Held, Fault> {
        // With what the store's pool connects with by now.
        let options = self.pool.connect_options();
        in_time(async {
            let mut connection = PgConnection::connect_with(&options).await?;
            settle(&mut connection).await?;
            Ok(Held(Some(Open::Beside(connection))))
        })
        .await
    }

    /// Closes the connections that nobody uses: after one has failed, the others have mostly failed as well.
    fn forget(&self) {
        locked(&self.idle).clear();
        locked(&self.beside).clear();
    }

    /// Keeps a connection, and closes the one that nobody has needed for longest.
    fn put(&self, held: Held, is_beside: bool) {
        let new = Idle {
            held,
            since: Instant::now(),
            runtime: here(),
        };
        let mut idle = locked(if is_beside { &self.beside } else { &self.idle });
        let stale = idle
            .iter()
            .position(|idle| !idle.is_fresh() || is_beside && idle.runtime == new.runtime);
        let stale = stale.map(|stale| idle.remove(stale));
        idle.push(new);
        drop(idle);
        drop(stale);
    }
}

/// The runtime that drives what is awaited here.
fn here() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|runtime| runtime.id())
}

/// Takes the connection of this runtime that was used last.
fn take_fresh(idle: &mut Vec<Idle>) -> Option<Idle> {
    let here = here();
    let found = idle
        .iter()
        .rposition(|idle| idle.runtime == here && idle.is_fresh());
    found.map(|place| idle.remove(place))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
                self.connections.put(held, self.permit.is_none());
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
