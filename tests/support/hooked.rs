//! A store in front of another, which asks a test before each call.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use belts::{
    Result, Timestamp,
    store::{
        Arrival, Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, DueSchedules,
        EndedLately, Entry, Expired, FunctionRecord, Lease, Note, Publish, PublishedEvent, Purged,
        Register, Release, Rerun, RunFilter, RunPage, RunRecord, ScheduleChange, ScheduleRow,
        SharedStore, Store, Subscription, WorkerId,
    },
};

/// What a call waits for, and whether it is made at all.
pub type Before = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A store whose calls can be counted, held and refused.
pub struct Hooked {
    inner: SharedStore,
    capabilities: Capabilities,
    before: Box<dyn Fn(&'static str) -> Before + Send + Sync>,
}

impl Hooked {
    #[expect(
        clippy::new_ret_no_self,
        reason = "a worker takes a store that is shared"
    )]
    /// Asks `before` with the name of the method each time that a store is asked for something, and with `committed` once a commit
    /// is written whose answer is not there yet.
    pub fn new(
        inner: SharedStore,
        before: impl Fn(&'static str) -> Before + Send + Sync + 'static,
    ) -> SharedStore {
        Arc::new(Self {
            capabilities: inner.capabilities(),
            inner,
            before: Box::new(before),
        })
    }

    /// The same store, which says that it can do less.
    pub fn that_can(inner: SharedStore, capabilities: Capabilities) -> SharedStore {
        Arc::new(Self {
            capabilities,
            inner,
            before: Box::new(|_| Box::pin(async { Ok(()) })),
        })
    }

    async fn at(&self, method: &'static str) -> Result<&dyn Store> {
        (self.before)(method).await?;
        Ok(&*self.inner)
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooked").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Store for Hooked {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }
    async fn register(&self, request: Register) -> Result<WorkerId> {
        self.at("register").await?.register(request).await
    }
    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.at("deregister").await?.deregister(worker, now).await
    }
    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        self.at("publish").await?.publish(request).await
    }
    async fn claim(&self, request: Claim) -> Result<Claimed> {
        self.at("claim").await?.claim(request).await
    }
    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        let outcomes = self.at("commit").await?.commit(request).await;
        self.at("committed").await?;
        outcomes
    }
    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.at("renew").await?.renew(worker, now, lease).await
    }
    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        self.at("arrived").await?.arrived(leases).await
    }
    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        self.at("revoked").await?.revoked(leases).await
    }
    async fn release(&self, request: Release) -> Result<usize> {
        self.at("release").await?.release(request).await
    }
    async fn woken(&self) {
        self.inner.woken().await;
    }
    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.at("subscriptions").await?.subscriptions().await
    }
    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        self.at("awaited").await?.awaited().await
    }
    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        self.at("run").await?.run(run).await
    }
    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        self.at("journal").await?.journal(run).await
    }
    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        self.at("list").await?.list(filter).await
    }
    async fn ended(&self, since: Timestamp, most: usize) -> Result<Option<EndedLately>> {
        self.at("ended").await?.ended(since, most).await
    }
    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        let store = self.at("backlog").await?;
        store.backlog(functions, now, most).await
    }
    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        self.at("cancel").await?.cancel(run, now).await
    }
    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired> {
        self.at("expire").await?.expire(now, most).await
    }
    async fn rerun(&self, request: Rerun) -> Result<bool> {
        self.at("rerun").await?.rerun(request).await
    }
    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.at("purge").await?.purge(before, limit).await
    }
    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.at("functions").await?.functions(now, most).await
    }
    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        self.at("due_schedules")
            .await?
            .due_schedules(functions, now, most)
            .await
    }
    async fn change_schedules(
        &self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        self.at("change_schedules")
            .await?
            .change_schedules(changes, now)
            .await
    }
    async fn schedules(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleRow>> {
        self.at("schedules").await?.schedules(after, most).await
    }
    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        self.at("schedule").await?.schedule(name).await
    }
    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool> {
        self.at("pause").await?.pause(function, now).await
    }
    async fn resume(&self, function: &str, now: Timestamp) -> Result<bool> {
        self.at("resume").await?.resume(function, now).await
    }
    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        self.at("forget").await?.forget(function, now, limit).await
    }
    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        self.at("note").await?.note(run, note).await
    }
}
