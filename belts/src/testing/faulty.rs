//! A store with faults as a store: which calls count as writes, and which only need it to be alive.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::faults::Faults;
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    store::{
        Arrival, Capabilities, Claim, Claimed, Commit, CommitBatch, CommitOutcome, DueSchedules,
        EndedLately, Entry, Expired, FunctionRecord, Lease, Note, Publish, PublishedEvent, Purged,
        Register, Release, Rerun, Route, Routed, RunFilter, RunPage, RunRecord, ScheduleChange,
        ScheduleRow, Store, StoredEvent, Subscription, Transactions, WorkerId,
    },
};

#[async_trait]
impl Store for Faults {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn register(&self, request: Register) -> Result<WorkerId> {
        self.write(self.inner.register(request)).await
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.write(self.inner.deregister(worker, now)).await
    }

    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        let events = request.events.clone();
        let recorded = async {
            let published = self.inner.publish(request).await?;
            let new = events
                .into_iter()
                .zip(&published)
                .filter(|(_, answer)| !answer.duplicate);
            let mut log = self
                .state
                .events
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            log.extend(new.map(|(event, _)| event));
            Ok(published)
        };
        self.write(recorded).await
    }

    async fn claim(&self, request: Claim) -> Result<Claimed> {
        self.write(self.inner.claim(request)).await
    }

    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        let size = |commit: &Commit| -> usize {
            let values = commit.entries.iter().map(|entry| entry.value.len());
            let events = commit.starts.iter().map(|event| event.payload.len());
            values.chain(events).sum()
        };
        let bytes: usize = request.commits.iter().map(size).sum();
        let room = self.plan().room;
        if room.is_some_and(|room| bytes > room) {
            self.alive()?;
            return Err(Error::store(
                "fault: there is no room for the commit",
                "requested by the test",
            ));
        }
        self.write(self.inner.commit(request)).await
    }

    async fn route(&self, request: Route) -> Result<Routed> {
        self.write(self.inner.route(request)).await
    }

    async fn batch(&self, run: &str) -> Result<Vec<StoredEvent>> {
        self.alive()?;
        self.inner.batch(run).await
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.write(self.inner.renew(worker, now, lease)).await
    }

    async fn release(&self, request: Release) -> Result<usize> {
        self.write(self.inner.release(request)).await
    }

    async fn woken(&self) {
        self.inner.woken().await;
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.alive()?;
        self.inner.subscriptions().await
    }

    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        self.alive()?;
        self.inner.awaited().await
    }

    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        self.alive()?;
        self.inner.run(run).await
    }

    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        self.alive()?;
        self.inner.journal(run).await
    }

    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        self.alive()?;
        self.inner.list(filter).await
    }

    async fn ended(&self, since: Timestamp, most: usize) -> Result<Option<EndedLately>> {
        self.alive()?;
        self.inner.ended(since, most).await
    }

    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        self.alive()?;
        self.inner.backlog(functions, now, most).await
    }

    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        self.write(self.inner.cancel(run, now)).await
    }

    /// A write only where there is something to end.
    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired> {
        self.alive()?;
        let left = self.inner.expire(now, 0).await?;
        if !left.more {
            return Ok(left);
        }
        self.write(self.inner.expire(now, most)).await
    }

    async fn rerun(&self, request: Rerun) -> Result<bool> {
        self.write(self.inner.rerun(request)).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.write(self.inner.purge(before, limit)).await
    }

    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        self.alive()?;
        self.inner.arrived(leases).await
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        self.alive()?;
        self.inner.revoked(leases).await
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.alive()?;
        self.inner.functions(now, most).await
    }

    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool> {
        self.write(self.inner.pause(function, now)).await
    }

    async fn resume(&self, function: &str, now: Timestamp) -> Result<bool> {
        self.write(self.inner.resume(function, now)).await
    }

    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        self.alive()?;
        self.inner.due_schedules(functions, now, most).await
    }

    async fn change_schedules(
        &self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        self.write(self.inner.change_schedules(changes, now)).await
    }

    async fn schedules(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleRow>> {
        self.alive()?;
        self.inner.schedules(after, most).await
    }

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        self.alive()?;
        self.inner.schedule(name).await
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        self.write(self.inner.forget(function, now, limit)).await
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        self.write(self.inner.note(run, note)).await
    }

    fn transactions(&self) -> Option<Transactions<'_>> {
        self.inner.transactions()
    }
}
