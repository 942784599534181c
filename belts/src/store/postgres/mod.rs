//! The store in PostgreSQL: shared by processes on many machines, and each commit durable.
//!
//! The tables and the functions that work on them are in `migrations/`; a hot call is one function and so one round trip.
//! Commits go through one group-commit queue and publishes through another (`queue`), each on a connection that the store
//! keeps (`connections`). A step is one statement, and so are an event with its runs and a claim with its journals: a run of
//! three steps takes five statements, shared with whatever else waits at the time. A write whose answer was lost is sent again
//! (`database`). An event that somebody may wait for takes one more statement, which gives it its place
//! (`migrations/0003/places.sql`), and so does the end of a run that another one has started, of which an event tells
//! (`migrations/0004/families.sql`).

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Arrival, Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, DueSchedules, EndedLately,
    Entry, Expired, FunctionRecord, Lease, Note, Publish, PublishedEvent, Purged, Register,
    Release, Rerun, Route, Routed, RunFilter, RunPage, RunRecord, ScheduleChange, ScheduleRow,
    Store, StoredEvent, StoredEvents, Subscription, Substitute, Timestamp, Transactions, WorkerId,
};
use crate::error::{Error, Result};

mod arrays;
mod arrivals;
mod batched;
mod builder;
mod change;
mod claim;
mod commit;
mod connections;
mod database;
mod duplicates;
mod encryption;
mod error;
mod flow;
mod inspect;
mod kept;
mod last_look;
mod limits;
mod listen;
mod looks;
mod migrate;
mod open;
mod others;
mod placed;
mod plan;
mod publish;
mod queue;
mod rows;
mod schedules;
mod schema;
mod session;
mod sessions;
mod set_aside;
mod show;
mod single;
mod sql;
mod subscribers;
mod tags;
mod text;
pub(crate) mod transaction;
mod undoing;
mod waits;
mod within;

pub use builder::PostgresBuilder;
use commit::Commits;
use connections::Connections;
use database::Database;
use error::Server;
use listen::Listener;
use publish::{Publishes, Ticketed};
use queue::Queue;
use schema::Schema;

/// A store in a PostgreSQL database, version 14 or later. Clones are the same store.
///
/// Everything lies in a schema of its own, `belts` where not said otherwise. The store keeps a few connections, and one more
/// that listens for the work of other processes and shows them that this one lives. Poolers that give each transaction another
/// connection break both, and are refused; connect to the server itself.
///
/// ```no_run
/// # async fn open() -> belts::Result<()> {
/// use belts::store::{Postgres, Store};
/// let store = Postgres::open("postgres://app:secret@localhost/app").await?;
/// assert!(store.capabilities().shared);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Postgres {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<Database>,
    commits: Arc<Queue<Commits>>,
    publishes: Arc<Queue<Publishes>>,
    listener: Listener,
}

impl Postgres {
    /// A store on a database whose tables are there.
    fn new(
        connections: Connections,
        (has_own_pool, identity): (bool, String),
        schema: Schema,
        server: Server,
        retry_for: Duration,
    ) -> Self {
        let mut database = Database::new(connections, schema, server, retry_for);
        database.has_own_pool = has_own_pool;
        database.identity = identity;
        let database = Arc::new(database);
        let inner = Inner {
            commits: Arc::new(Queue::new(Commits(Arc::clone(&database)))),
            publishes: Arc::new(Queue::new(Publishes::new(Arc::clone(&database)))),
            listener: Listener::default(),
            database,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Reads, again if need be.
    async fn read<'a, T, R>(&'a self, read: impl Fn(&'a Database) -> R) -> Result<T>
    where
        R: Future<Output = Result<T, error::Fault>>,
    {
        let database = &*self.inner.database;
        self.answer(database.insist(|_| read(database)).await)
    }

    /// The answer as the caller sees it.
    fn answer<T>(&self, result: Result<T, error::Fault>) -> Result<T> {
        result.map_err(|fault| self.inner.database.error(fault))
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Database { server, schema, .. } = &*self.inner.database;
        f.debug_struct("Postgres")
            .field("server", &server.place)
            .field("database", &server.database)
            .field("schema", &schema.name())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Postgres {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .durable()
            .shared()
            .notices_dead_workers()
            .waits()
            .tags()
            .schedules()
            .flow()
            .lanes()
    }

    async fn register(&self, request: Register) -> Result<WorkerId> {
        let Inner {
            database, listener, ..
        } = &*self.inner;
        let worker = self.answer(database.register(&request).await)?;
        listener.hold(database, worker);
        Ok(worker)
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.answer(self.inner.database.deregister(worker, now).await)?;
        self.inner.listener.release(worker);
        Ok(())
    }

    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        // What a batch takes to be sent is large; it has a place of its own.
        self.answer(Box::pin(self.inner.publishes.submit(Ticketed::new(request))).await)
    }

    async fn claim(&self, request: Claim) -> Result<Claimed> {
        let worker = request.capacity.worker;
        let claimed = self.answer(self.inner.database.claim(&request).await)?;
        claimed.ok_or_else(|| Error::unknown_session(worker))
    }

    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        self.answer(Box::pin(self.inner.commits.submit(request)).await)
    }

    async fn route(&self, request: Route) -> Result<Routed> {
        self.answer(self.inner.database.route(&request).await)
    }

    async fn batch(&self, run: &str) -> Result<Vec<StoredEvent>> {
        self.read(|database| database.batch(run)).await
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        let known = self.answer(self.inner.database.renew(worker, now, lease).await)?;
        if known {
            Ok(())
        } else {
            Err(Error::unknown_session(worker))
        }
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        self.read(|database| database.revoked(leases)).await
    }

    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        self.read(|database| database.arrived(leases)).await
    }

    async fn release(&self, request: Release) -> Result<usize> {
        self.answer(self.inner.database.release(&request).await)
    }

    async fn woken(&self) {
        let Inner {
            database, listener, ..
        } = &*self.inner;
        listener.start(database);
        database.wake.wait().await;
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.read(Database::subscriptions).await
    }

    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        self.read(Database::awaited).await
    }

    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        self.read(|database| database.run(run)).await
    }

    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        self.read(|database| database.journal(run)).await
    }

    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        let limit = filter.page_size();
        let below = filter.mark()?.unwrap_or(i64::MAX);
        self.read(|database| database.list(&filter, limit, below))
            .await
    }

    async fn ended(&self, since: Timestamp, most: usize) -> Result<Option<EndedLately>> {
        self.read(|database| database.ended(since, most))
            .await
            .map(Some)
    }

    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        self.read(|database| database.backlog(functions, now, most))
            .await
    }

    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        self.answer(self.inner.database.cancel(run, now).await)
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired> {
        self.answer(self.inner.database.expire(now, most).await)
    }

    async fn rerun(&self, request: Rerun) -> Result<bool> {
        self.answer(self.inner.database.rerun(&request).await)
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.answer(self.inner.database.purge(before, limit).await)
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.read(|database| database.functions(now, most)).await
    }

    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool> {
        self.answer(self.inner.database.pause(function, now).await)
    }

    async fn resume(&self, function: &str, _now: Timestamp) -> Result<bool> {
        self.answer(self.inner.database.resume(function).await)
    }

    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        self.answer(
            self.inner
                .database
                .due_schedules(functions, now, most)
                .await,
        )
    }

    async fn change_schedules(
        &self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        self.answer(self.inner.database.change_schedules(&changes, now).await)
    }

    async fn schedules(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleRow>> {
        self.answer(self.inner.database.schedules(after, most).await)
    }

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        self.answer(self.inner.database.schedule(name).await)
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        let forgotten = self.answer(self.inner.database.forget(function, now, limit).await)?;
        forgotten.ok_or_else(|| Error::function_in_use(function))
    }

    fn transactions(&self) -> Option<Transactions<'_>> {
        Some(Transactions::of(self))
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        self.answer(self.inner.database.note(run, &note).await)
    }

    async fn events(&self, after: Option<&str>, limit: usize) -> Result<StoredEvents> {
        let after = after.map(str::parse).transpose();
        let after = after.map_err(Error::wrong_page_mark)?.unwrap_or(i64::MIN);
        self.read(|database| database.events(after, limit)).await
    }

    async fn substitute(&self, values: Vec<Substitute>) -> Result<usize> {
        self.answer(self.inner.database.substitute(&values).await)
    }
}
