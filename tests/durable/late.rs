//! A store whose renewals can be held up on their way, as a network does with a request that others overtake.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use belts::{
    Timestamp,
    store::{
        Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, Entry, FunctionRecord, Lease,
        Memory, Note, Publish, PublishedEvent, Purged, Register, Release, RunFilter, RunPage,
        RunRecord, Store, Subscription, WorkerId,
    },
};
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) struct LateRenewals {
    store: Memory,
    holds: watch::Sender<bool>,
    held: Arc<AtomicU32>,
}

impl LateRenewals {
    pub(crate) fn new(store: Memory) -> Self {
        Self {
            store,
            holds: watch::Sender::new(false),
            held: Arc::default(),
        }
    }

    /// Holds up the renewals that are sent from now on.
    pub(crate) fn hold(&self) {
        self.holds.send_replace(true);
    }

    /// Lets them arrive.
    pub(crate) fn let_go(&self) {
        self.holds.send_replace(false);
    }

    /// How many were held up.
    pub(crate) fn held(&self) -> u32 {
        self.held.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for LateRenewals {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn register(&self, request: Register) -> belts::Result<WorkerId> {
        self.store.register(request).await
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> belts::Result<()> {
        self.store.deregister(worker, now).await
    }

    async fn publish(&self, request: Publish) -> belts::Result<Vec<PublishedEvent>> {
        self.store.publish(request).await
    }

    async fn claim(&self, request: Claim) -> belts::Result<Claimed> {
        self.store.claim(request).await
    }

    async fn commit(&self, request: CommitBatch) -> belts::Result<Vec<CommitOutcome>> {
        self.store.commit(request).await
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> belts::Result<()> {
        if *self.holds.borrow() {
            self.held.fetch_add(1, Ordering::SeqCst);
        }
        let _ = self.holds.subscribe().wait_for(|holds| !holds).await;
        self.store.renew(worker, now, lease).await
    }

    async fn release(&self, request: Release) -> belts::Result<usize> {
        self.store.release(request).await
    }

    async fn woken(&self) {
        self.store.woken().await;
    }

    async fn subscriptions(&self) -> belts::Result<Vec<Subscription>> {
        self.store.subscriptions().await
    }

    async fn run(&self, run: &str) -> belts::Result<Option<RunRecord>> {
        self.store.run(run).await
    }

    async fn journal(&self, run: &str) -> belts::Result<Vec<Entry>> {
        self.store.journal(run).await
    }

    async fn list(&self, filter: RunFilter) -> belts::Result<RunPage> {
        self.store.list(filter).await
    }

    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> belts::Result<Vec<usize>> {
        self.store.backlog(functions, now, most).await
    }

    async fn cancel(&self, run: &str, now: Timestamp) -> belts::Result<bool> {
        self.store.cancel(run, now).await
    }

    async fn rerun(&self, run: &str, now: Timestamp) -> belts::Result<bool> {
        self.store.rerun(run, now).await
    }

    async fn rerun_from(&self, run: &str, seq: u32, now: Timestamp) -> belts::Result<bool> {
        self.store.rerun_from(run, seq, now).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> belts::Result<Purged> {
        self.store.purge(before, limit).await
    }

    async fn revoked(&self, leases: &[Lease]) -> belts::Result<Vec<Lease>> {
        self.store.revoked(leases).await
    }

    async fn functions(&self, now: Timestamp, most: usize) -> belts::Result<Vec<FunctionRecord>> {
        self.store.functions(now, most).await
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> belts::Result<Purged> {
        self.store.forget(function, now, limit).await
    }

    async fn note(&self, run: &str, note: Note) -> belts::Result<bool> {
        self.store.note(run, note).await
    }
}
