//! The store in memory: the reference implementation, for tests and for functions that need not outlive the process.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    Arrival, Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, DueSchedules, EndedLately,
    Entry, Expired, FunctionRecord, Lease, Note, Publish, PublishedEvent, Purged, Register,
    Release, Rerun, Route, Routed, RunFilter, RunPage, RunRecord, ScheduleChange, ScheduleRow,
    Store, StoredEvent, StoredEvents, Subscription, Substitute, Timestamp, WorkerId, parts::Wake,
};
use crate::error::Result;

mod awaits;
mod claim;
mod commit;
mod family;
mod flow;
mod inspect;
mod kept;
mod lanes;
mod limits;
mod line;
mod lines;
mod publish;
mod schedules;
mod session;
mod tables;
mod ticks;
mod undoing;
mod waits;
mod wants;

use tables::Tables;

/// A store in this process's memory.
///
/// It does what every store must do, and promises no durability. Clones are the same store.
///
/// ```
/// use belts::store::{Memory, Store};
/// let store = Memory::new();
/// assert!(!store.capabilities().durable);
/// ```
#[derive(Clone, Default)]
pub struct Memory {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    tables: Mutex<Tables>,
    wake: Wake,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    // A panic in here would be a bug of ours; the tables are still the best truth there is.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.shared
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a write that says whether it made a run due that others may want.
    fn write<T>(&self, write: impl FnOnce(&mut Tables) -> (T, bool)) -> T {
        let (answer, wakes, freed) = {
            let mut tables = self.tables();
            let (answer, wakes) = write(&mut tables);
            (answer, wakes, std::mem::take(&mut tables.lines.freed))
        };
        if wakes || freed {
            self.shared.wake.wake();
        }
        answer
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.waits().tags().schedules().flow().lanes()
    }

    async fn register(&self, request: Register) -> Result<WorkerId> {
        Ok(self.write(|tables| tables.register(request)))
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.write(|tables| ((), tables.end_session(worker, now)));
        Ok(())
    }

    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        Ok(self.write(|tables| tables.publish(request)))
    }

    async fn claim(&self, request: Claim) -> Result<Claimed> {
        self.write(|tables| tables.claim(&request))
    }

    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        Ok(self.write(|tables| tables.commit(request)))
    }

    async fn route(&self, request: Route) -> Result<Routed> {
        Ok(self.write(|tables| tables.route(&request)))
    }

    async fn batch(&self, run: &str) -> Result<Vec<StoredEvent>> {
        Ok(self.tables().batch(run))
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.tables().renew(worker, now, lease)
    }

    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        Ok(self.tables().arrived(leases))
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        Ok(self.tables().revoked(leases))
    }

    async fn release(&self, request: Release) -> Result<usize> {
        Ok(self.write(|tables| {
            let released = tables.release(&request);
            (released, released > 0)
        }))
    }

    async fn woken(&self) {
        self.shared.wake.wait().await;
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        Ok(self.tables().subscriptions.clone())
    }

    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        let mut types: Vec<_> = self.tables().waits.awaited.keys().cloned().collect();
        types.sort_unstable();
        Ok(types)
    }

    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        Ok(self.tables().record(run))
    }

    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        Ok(self.tables().journal(run))
    }

    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        self.tables().list(&filter)
    }

    async fn ended(&self, since: Timestamp, most: usize) -> Result<Option<EndedLately>> {
        Ok(Some(self.tables().ended(since, most)))
    }

    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        Ok(self.tables().backlog(functions, now, most))
    }

    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        Ok(self.write(|tables| {
            let found = tables.cancel(run, now);
            (found, found)
        }))
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired> {
        Ok(self.write(|tables| tables.expire(now, most)))
    }

    async fn rerun(&self, request: Rerun) -> Result<bool> {
        Ok(self.write(|tables| {
            let found = tables.rerun(&request);
            (found, found)
        }))
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        Ok(self.tables().purge(before, limit))
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        Ok(self.tables().function_records(now, most))
    }

    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool> {
        Ok(self.tables().pause(function, now))
    }

    async fn resume(&self, function: &str, _now: Timestamp) -> Result<bool> {
        Ok(self.write(|tables| {
            let resumed = tables.paused.remove(function).is_some();
            (resumed, resumed)
        }))
    }

    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        Ok(self.tables().due_schedules(functions, now, most))
    }

    async fn change_schedules(
        &self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        Ok(self.write(|tables| tables.change_schedules(changes, now)))
    }

    async fn schedules(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleRow>> {
        Ok(self.tables().schedules.list(after, most))
    }

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        Ok(self.tables().schedules.get(name))
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        self.write(|tables| (tables.forget(function, now, limit), true))
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        Ok(self.tables().note(run, note))
    }

    async fn events(&self, after: Option<&str>, limit: usize) -> Result<StoredEvents> {
        self.tables().stored_events(after, limit)
    }

    async fn substitute(&self, values: Vec<Substitute>) -> Result<usize> {
        let mut tables = self.tables();
        let substituted = values.iter().filter(|value| tables.substitute(value));
        Ok(substituted.count())
    }
}
