//! A store whose requests can be held up on their way, as a network does with one that others overtake, and are counted.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use belts::{
    Timestamp,
    store::{
        Arrival, Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, DueSchedules, Entry,
        Expired, FunctionRecord, Lease, Memory, Note, Publish, PublishedEvent, Purged, Register,
        Release, Rerun, RunFilter, RunPage, RunRecord, ScheduleChange, ScheduleRow, Store,
        Subscription, WorkerId,
    },
};
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) struct Meddled {
    store: Memory,
    holds: watch::Sender<bool>,
    held: Arc<AtomicU32>,
    holds_commits: watch::Sender<bool>,
    holds_publishes: watch::Sender<bool>,
    holds_published: watch::Sender<bool>,
    holds_goodbyes: watch::Sender<bool>,
    holds_looks: watch::Sender<bool>,
    counts: Arc<Counts>,
    session: Arc<Mutex<Option<WorkerId>>>,
}

/// How often what was asked or answered.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    registers: AtomicU32,
    claims: AtomicU32,
    held_commits: AtomicU32,
    held_publishes: AtomicU32,
    held_published: AtomicU32,
    duplicates: AtomicU32,
    held_goodbyes: AtomicU32,
    held_looks: AtomicU32,
    refused_commits: AtomicU32,
    renewals: AtomicU32,
    refused_renewals: AtomicU32,
}

fn count(counter: &AtomicU32) {
    counter.fetch_add(1, Ordering::SeqCst);
}

/// Waits while it is held up here.
async fn pass(holds: &watch::Sender<bool>, held: &AtomicU32) {
    if *holds.borrow() {
        count(held);
    }
    let _ = holds.subscribe().wait_for(|holds| !holds).await;
}

impl Counts {
    pub(crate) fn registers(&self) -> u32 {
        self.registers.load(Ordering::SeqCst)
    }

    pub(crate) fn claims(&self) -> u32 {
        self.claims.load(Ordering::SeqCst)
    }

    pub(crate) fn held_commits(&self) -> u32 {
        self.held_commits.load(Ordering::SeqCst)
    }

    /// Publishes that were held up before the store heard of them.
    pub(crate) fn held_publishes(&self) -> u32 {
        self.held_publishes.load(Ordering::SeqCst)
    }

    /// Events that were there already.
    pub(crate) fn duplicates(&self) -> u32 {
        self.duplicates.load(Ordering::SeqCst)
    }

    /// Questions which leases stand no longer that were held up.
    pub(crate) fn held_looks(&self) -> u32 {
        self.held_looks.load(Ordering::SeqCst)
    }

    /// Answers to publishes that were held up.
    pub(crate) fn held_published(&self) -> u32 {
        self.held_published.load(Ordering::SeqCst)
    }

    /// Ends of a session that were held up.
    pub(crate) fn held_goodbyes(&self) -> u32 {
        self.held_goodbyes.load(Ordering::SeqCst)
    }

    /// Commits whose lease was gone.
    pub(crate) fn refused_commits(&self) -> u32 {
        self.refused_commits.load(Ordering::SeqCst)
    }

    /// Renewals that went well.
    pub(crate) fn renewals(&self) -> u32 {
        self.renewals.load(Ordering::SeqCst)
    }

    /// Renewals that failed.
    pub(crate) fn refused_renewals(&self) -> u32 {
        self.refused_renewals.load(Ordering::SeqCst)
    }
}

impl Meddled {
    pub(crate) fn new(store: Memory) -> Self {
        Self {
            store,
            holds: watch::Sender::new(false),
            held: Arc::default(),
            holds_commits: watch::Sender::new(false),
            holds_publishes: watch::Sender::new(false),
            holds_published: watch::Sender::new(false),
            holds_goodbyes: watch::Sender::new(false),
            holds_looks: watch::Sender::new(false),
            counts: Arc::default(),
            session: Arc::default(),
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

    /// Holds up commits, or lets them arrive.
    pub(crate) fn hold_commits(&self, hold: bool) {
        self.holds_commits.send_replace(hold);
    }

    /// Holds up publishes, or lets them arrive.
    pub(crate) fn hold_publishes(&self, hold: bool) {
        self.holds_publishes.send_replace(hold);
    }

    /// Holds up the question which leases stand no longer, or lets it arrive.
    pub(crate) fn hold_looks(&self, hold: bool) {
        self.holds_looks.send_replace(hold);
    }

    /// Holds up the answers to publishes of something new, or lets them arrive.
    pub(crate) fn hold_published(&self, hold: bool) {
        self.holds_published.send_replace(hold);
    }

    /// Holds up the end of a session, or lets it arrive.
    pub(crate) fn hold_goodbyes(&self, hold: bool) {
        self.holds_goodbyes.send_replace(hold);
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Ends the last session, as a store does that has not heard of it for long.
    pub(crate) async fn end_session(&self, now: Timestamp) {
        let session = self.session.lock().unwrap().unwrap();
        self.store.deregister(session, now).await.unwrap();
    }

    /// How many were held up.
    pub(crate) fn held(&self) -> u32 {
        self.held.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Meddled {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn register(&self, request: Register) -> belts::Result<WorkerId> {
        count(&self.counts.registers);
        let worker = self.store.register(request).await?;
        *self.session.lock().unwrap() = Some(worker);
        Ok(worker)
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> belts::Result<()> {
        pass(&self.holds_goodbyes, &self.counts.held_goodbyes).await;
        self.store.deregister(worker, now).await
    }

    async fn publish(&self, request: Publish) -> belts::Result<Vec<PublishedEvent>> {
        pass(&self.holds_publishes, &self.counts.held_publishes).await;
        let published = self.store.publish(request).await?;
        if published.iter().any(|published| published.duplicate) {
            count(&self.counts.duplicates);
        } else {
            pass(&self.holds_published, &self.counts.held_published).await;
        }
        Ok(published)
    }

    async fn claim(&self, request: Claim) -> belts::Result<Claimed> {
        count(&self.counts.claims);
        self.store.claim(request).await
    }

    async fn commit(&self, request: CommitBatch) -> belts::Result<Vec<CommitOutcome>> {
        pass(&self.holds_commits, &self.counts.held_commits).await;
        let outcomes = self.store.commit(request).await?;
        let refused = |outcome: &&CommitOutcome| **outcome != CommitOutcome::Applied;
        outcomes
            .iter()
            .filter(refused)
            .for_each(|_| count(&self.counts.refused_commits));
        Ok(outcomes)
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> belts::Result<()> {
        pass(&self.holds, &self.held).await;
        let renewed = self.store.renew(worker, now, lease).await;
        count(match renewed {
            Ok(()) => &self.counts.renewals,
            Err(_) => &self.counts.refused_renewals,
        });
        renewed
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

    async fn awaited(&self) -> belts::Result<Vec<Arc<str>>> {
        self.store.awaited().await
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

    async fn expire(&self, now: Timestamp, most: usize) -> belts::Result<Expired> {
        self.store.expire(now, most).await
    }

    async fn rerun(&self, request: Rerun) -> belts::Result<bool> {
        self.store.rerun(request).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> belts::Result<Purged> {
        self.store.purge(before, limit).await
    }

    async fn arrived(&self, leases: &[Lease]) -> belts::Result<Vec<(Lease, Vec<Arrival>)>> {
        self.store.arrived(leases).await
    }

    async fn revoked(&self, leases: &[Lease]) -> belts::Result<Vec<Lease>> {
        pass(&self.holds_looks, &self.counts.held_looks).await;
        self.store.revoked(leases).await
    }

    async fn functions(&self, now: Timestamp, most: usize) -> belts::Result<Vec<FunctionRecord>> {
        self.store.functions(now, most).await
    }

    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> belts::Result<DueSchedules> {
        self.store.due_schedules(functions, now, most).await
    }
    async fn change_schedules(
        &self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> belts::Result<Vec<bool>> {
        self.store.change_schedules(changes, now).await
    }
    async fn schedules(&self, after: Option<&str>, most: usize) -> belts::Result<Vec<ScheduleRow>> {
        self.store.schedules(after, most).await
    }
    async fn schedule(&self, name: &str) -> belts::Result<Option<ScheduleRow>> {
        self.store.schedule(name).await
    }

    async fn pause(&self, function: &str, now: Timestamp) -> belts::Result<bool> {
        self.store.pause(function, now).await
    }

    async fn resume(&self, function: &str, now: Timestamp) -> belts::Result<bool> {
        self.store.resume(function, now).await
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> belts::Result<Purged> {
        self.store.forget(function, now, limit).await
    }

    async fn note(&self, run: &str, note: Note) -> belts::Result<bool> {
        self.store.note(run, note).await
    }
}
