//! The store in a SQLite file: no server, several processes on one file, and each commit durable.
//!
//! Every write is one entry of the group-commit queue (`writer`); reads use connections of their own (`readers`).
//! The tables are in `migrations/`; `docs/stores.md` says which write makes what durable.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::Connection;

use super::{
    Arrival, Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, DueSchedules, EndedLately,
    Entry, Expired, FunctionRecord, Lease, Note, Publish, PublishedEvent, Purged, Register,
    Release, Rerun, Route, Routed, RunFilter, RunPage, RunRecord, ScheduleChange, ScheduleRow,
    Store, StoredEvent, StoredEvents, Subscription, Substitute, Timestamp, Transactions, WorkerId,
};
use crate::error::{Error, ErrorKind, Result};

mod arrivals;
mod awaited;
mod awaits;
mod builder;
mod change;
mod claim;
mod clock;
mod columns;
mod commit;
mod connect;
mod error;
mod family;
mod files;
mod flow;
mod functions;
mod head;
mod in_lines;
mod inspect;
mod kept;
mod limits;
mod lines;
mod liveness;
mod looks;
mod names;
mod open;
mod pauses;
mod places;
mod publish;
mod readers;
mod retention;
mod rows;
mod schedules;
mod schema;
mod session;
mod take;
pub(crate) mod transaction;
mod turn;
mod tx;
mod undoing;
mod untold;
mod waits;
mod wants;
mod watch;
mod within;
mod writer;

pub use builder::{SqliteBuilder, Synchronous};
use error::Fault;
use liveness::Liveness;
use names::SharedNames;
use readers::Readers;
use watch::Watch;
use writer::Writer;

/// A store in a SQLite file. Clones are the same store.
///
/// Several processes, and several stores of one process, may work on one file. Beside it lie SQLite's own `-wal` and
/// `-shm` files, and a directory `-workers` with a lock file for each running worker.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use belts::store::{Sqlite, Store};
/// let directory = std::env::temp_dir().join(format!("belts-doc-{}", std::process::id()));
/// std::fs::create_dir_all(&directory)?;
/// let store = Sqlite::open(directory.join("belts.db")).await?;
/// assert!(store.capabilities().durable);
/// # drop(store);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Sqlite {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    liveness: Liveness,
    watch: OnceLock<Watch>,
    thread: Option<JoinHandle<()>>,
}

impl Sqlite {
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &SharedNames) -> Result<T, Fault>,
    ) -> Result<T> {
        let Inner {
            writer, readers, ..
        } = &*self.inner;
        writer
            .presence
            .check()
            .and_then(|()| readers.read(|connection| read(connection, &writer.names)))
            .map_err(|fault| fault.into_error(writer.path()))
    }

    /// For reads that may be long.
    async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &SharedNames) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        blocking(move || store.read(read)).await
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("path", &self.inner.writer.path())
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // First the one that may hand work to the other.
        drop(self.watch.take());
        self.writer.close();
        if let Some(thread) = self.thread.take() {
            // It catches the panics of writes; there is nobody left to tell of others.
            drop(thread.join());
        }
    }
}

/// Runs `work` where it may block: beside the async threads if there are any.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(Error::new(ErrorKind::Shutdown, "the runtime is shutting down").with_source(error))
        }
    }
}

#[async_trait]
impl Store for Sqlite {
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
        let (worker, ended) = self
            .inner
            .writer
            .submit(move |tx| tx.register(&request))
            .await?;
        self.inner.liveness.hold(worker);
        for ended in ended {
            self.inner.liveness.release(ended);
        }
        Ok(worker)
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.inner
            .writer
            .submit(move |tx| tx.end_session(worker, now))
            .await?;
        self.inner.liveness.release(worker);
        Ok(())
    }

    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        self.inner
            .writer
            .submit(move |tx| tx.publish(&request))
            .await
    }

    async fn claim(&self, request: Claim) -> Result<Claimed> {
        let dead = self.inner.liveness.dead();
        let workers = dead.workers();
        let writer = &self.inner.writer;
        // Whose runs are given back has its files removed and the crash counted, which must outlive the machine as well.
        let claimed = if workers.is_empty() {
            writer
                .submit_leases(move |tx| tx.claim(&request, &workers))
                .await??
        } else {
            writer
                .submit(move |tx| tx.claim(&request, &workers))
                .await??
        };
        dead.bury();
        Ok(claimed)
    }

    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        self.inner
            .writer
            .submit(move |tx| tx.commit(&request))
            .await
    }

    async fn route(&self, request: Route) -> Result<Routed> {
        self.inner.writer.submit(move |tx| tx.route(&request)).await
    }

    async fn batch(&self, run: &str) -> Result<Vec<StoredEvent>> {
        let run = run.to_owned();
        self.read_aside(move |connection, names| flow::batch(connection, names, &run))
            .await
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.inner
            .writer
            .submit_leases(move |tx| tx.renew(worker, now, lease))
            .await?
    }

    async fn release(&self, request: Release) -> Result<usize> {
        self.inner
            .writer
            .submit_leases(move |tx| tx.release(&request))
            .await
    }

    async fn woken(&self) {
        let Inner { writer, watch, .. } = &*self.inner;
        watch.get_or_init(|| Watch::start(Arc::clone(writer)));
        writer.wake.wait().await;
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.read(wants::subscriptions)
    }

    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        self.read(awaited::types)
    }

    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        self.read(|connection, names| inspect::run(connection, names, run))
    }

    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        let run = run.to_owned();
        self.read_aside(move |connection, names| inspect::journal(connection, names, &run))
            .await
    }

    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        let limit = filter.page_size();
        let below = filter.mark()?.unwrap_or(i64::MAX);
        self.read_aside(move |connection, names| {
            inspect::list(connection, names, &filter, limit, below)
        })
        .await
    }

    async fn ended(&self, since: Timestamp, most: usize) -> Result<Option<EndedLately>> {
        self.read_aside(move |connection, names| inspect::ended(connection, names, since, most))
            .await
            .map(Some)
    }

    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        let functions = functions.to_vec();
        self.read_aside(move |connection, names| {
            inspect::backlog(connection, names, &functions, now, most)
        })
        .await
    }

    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        let run = run.to_owned();
        self.inner
            .writer
            .submit(move |tx| tx.cancel(&run, now))
            .await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired> {
        // Nearly always there is nothing to write.
        let next = self.read(|connection, _| limits::next_over(connection))?;
        if next.is_none_or(|next| next > now) {
            return Ok(Expired::default().with_next(next, now));
        }
        self.inner
            .writer
            .submit(move |tx| tx.expire(now, most))
            .await
    }

    async fn rerun(&self, request: Rerun) -> Result<bool> {
        self.inner.writer.submit(move |tx| tx.rerun(&request)).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.inner
            .writer
            .submit(move |tx| tx.purge(before, limit))
            .await
    }

    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        self.read(|connection, names| arrivals::arrived(connection, names, leases))
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        self.read(|connection, _| commit::revoked(connection, leases))
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.read_aside(move |connection, names| functions::records(connection, names, now, most))
            .await
    }

    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool> {
        let function = function.to_owned();
        self.inner
            .writer
            .submit(move |tx| tx.pause(&function, now))
            .await
    }

    async fn resume(&self, function: &str, _now: Timestamp) -> Result<bool> {
        let function = function.to_owned();
        self.inner
            .writer
            .submit(move |tx| tx.resume(&function))
            .await
    }

    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        self.read(|connection, names| schedules::due(connection, names, functions, now, most))
    }

    async fn change_schedules(
        &self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        self.inner
            .writer
            .submit(move |tx| tx.change_schedules(&changes, now))
            .await
    }

    async fn schedules(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleRow>> {
        let after = after.map(str::to_owned);
        self.read_aside(move |connection, names| {
            schedules::list(connection, names, after.as_deref(), most)
        })
        .await
    }

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        self.read(|connection, names| schedules::one(connection, names, name))
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        let function = function.to_owned();
        self.inner
            .writer
            .submit(move |tx| tx.forget_function(&function, now, limit))
            .await?
    }

    fn transactions(&self) -> Option<Transactions<'_>> {
        Some(Transactions::of(self))
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        let run = run.to_owned();
        self.inner
            .writer
            .submit(move |tx| tx.note(&run, &note))
            .await
    }

    async fn events(&self, after: Option<&str>, limit: usize) -> Result<StoredEvents> {
        let after = after.map(str::parse).transpose();
        let after = after.map_err(Error::wrong_page_mark)?.unwrap_or(i64::MIN);
        self.read_aside(move |connection, names| kept::events(connection, names, after, limit))
            .await
    }

    async fn substitute(&self, values: Vec<Substitute>) -> Result<usize> {
        self.inner
            .writer
            .submit(move |tx| tx.substitute(&values))
            .await
    }
}
