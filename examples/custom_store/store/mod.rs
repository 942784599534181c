//! A store on the embedded key-value database redb, which keeps everything in one file.
//!
//! How to write a store:
//!
//! 1. Read the contract at [`Store`], and decide what your storage can promise ([`Capabilities`]).
//! 2. Find the unit in which your storage writes all or nothing. Here it is a transaction of redb, and each method of the trait is
//!    one ([`FileStore::write`]); a lease is checked in the transaction that writes under it.
//! 3. Choose the rows (`rows`) and the indexes (`tables`). The hot question is "which run of these functions is due next?".
//! 4. Take the rules that are easy to get wrong from [`belts::store::parts`], and what a transition writes from
//!    `Transition::ending`.
//! 5. Map your errors in one place (`fault`): what another try can help is `Error::store`.
//! 6. Run the conformance suite over it (`main`), and add tests for what no suite can know: what your storage cannot read.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use belts::{
    Error, Result, Timestamp,
    store::{
        Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, Entry, Expired, FunctionRecord,
        Lease, Note, Publish, PublishedEvent, Purged, Register, Release, Rerun, RunFilter, RunPage,
        RunRecord, Store, Subscription, WorkerId, parts::Wake,
    },
};
use redb::{Database, DatabaseError};
use tokio::time::interval;

mod aside;
mod claim;
mod commit;
mod fault;
mod inspect;
mod limits;
mod publish;
mod rows;
mod sessions;
mod tables;

use fault::Fault;
use tables::Tables;

/// How often [`FileStore::open`] looks whether others still have the file, and how many times.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const LOOKS: u32 = 500;

/// A store in one file, for one process. Clones are the same store.
#[derive(Debug, Clone)]
pub(crate) struct FileStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    file: Database,
    wake: Wake,
}

impl FileStore {
    /// Opens a file, and creates it where there is none. Whoever had it open may still be at its end, as the process before this one
    /// in a deploy, or a task of a worker that was dropped; that is waited for.
    pub(crate) async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let (mut looks, mut left) = (interval(LOOK_AGAIN), LOOKS);
        let file = loop {
            looks.tick().await;
            match Database::create(&path) {
                Err(DatabaseError::DatabaseAlreadyOpen) if left > 0 => left -= 1,
                opened => break opened.map_err(Fault::from)?,
            }
        };
        let wake = Wake::default();
        Ok(Self {
            inner: Arc::new(Inner { file, wake }),
        })
    }

    /// Does something in a transaction, whole or not at all. When this has returned, it is on the disk.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        let write = move || {
            let (answer, wakes) = inner.transact(work, true)?;
            // Only now can others see it.
            if wakes {
                inner.wake.wake();
            }
            Ok(answer)
        };
        blocking(write).await
    }

    /// Looks at something. It waits for the transaction of others, as a write does, which keeps this example short.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        blocking(move || Ok(inner.transact(work, false)?.0)).await
    }
}

impl Inner {
    fn transact<T>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, Fault>,
        keeps: bool,
    ) -> Result<(T, bool), Fault> {
        let transaction = self.file.begin_write()?;
        let mut tables = Tables::open(&transaction)?;
        let answer = work(&mut tables)?;
        let wakes = tables.wakes;
        drop(tables);
        if keeps {
            transaction.commit()?;
        }
        Ok((answer, wakes))
    }
}

/// Waits for the disk where that holds up nobody. The thread that renews a lease while the runtime has no turn has none.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::store("the thread that works on the file is gone", error))?
}

#[async_trait]
impl Store for FileStore {
    fn capabilities(&self) -> Capabilities {
        // One process at a time has the file open, so no worker of another one can die beside it.
        Capabilities::NONE.durable().tags()
    }

    async fn register(&self, request: Register) -> Result<WorkerId> {
        self.write(|tables| tables.register(request)).await
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.write(move |tables| tables.end_session(worker, now, false))
            .await
    }

    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        self.write(|tables| tables.publish(request)).await
    }

    async fn claim(&self, request: Claim) -> Result<Claimed> {
        self.write(move |tables| tables.claim(&request)).await
    }

    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        self.write(move |tables| tables.commit(&request)).await
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.write(move |tables| tables.renew(worker, now, lease))
            .await
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        let leases = leases.to_vec();
        self.read(move |tables| tables.revoked(&leases)).await
    }

    async fn release(&self, request: Release) -> Result<usize> {
        self.write(move |tables| tables.release(&request)).await
    }

    async fn woken(&self) {
        self.inner.wake.wait().await;
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.read(|tables| tables.subscriptions()).await
    }

    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        let run = run.to_owned();
        self.read(move |tables| tables.record(&run)).await
    }

    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        let run = run.to_owned();
        self.read(move |tables| tables.journal_of(&run)).await
    }

    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        self.read(move |tables| tables.list(&filter)).await
    }

    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        let functions = functions.to_vec();
        self.read(move |tables| tables.backlog(&functions, now, most))
            .await
    }

    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        let run = run.to_owned();
        self.write(move |tables| tables.cancel(&run, now)).await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired> {
        self.write(move |tables| tables.expire(now, most)).await
    }

    async fn rerun(&self, request: Rerun) -> Result<bool> {
        self.write(move |tables| tables.rerun(&request)).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.write(move |tables| tables.purge(before, limit)).await
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.read(move |tables| tables.functions(now, most)).await
    }

    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool> {
        let function = function.to_owned();
        self.write(move |tables| tables.pause(&function, now)).await
    }

    async fn resume(&self, function: &str, _now: Timestamp) -> Result<bool> {
        let function = function.to_owned();
        self.write(move |tables| tables.resume(&function)).await
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        let function = function.to_owned();
        self.write(move |tables| tables.forget(&function, now, limit))
            .await
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        let run = run.to_owned();
        self.write(move |tables| tables.note(&run, note)).await
    }
}
