//! A store that keeps in another one nothing of what users write but sealed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
#[cfg(feature = "postgres")]
use futures_util::future::{BoxFuture, FutureExt as _};

use super::{
    Arrival, Capabilities, Claim, Claimed, Commit, CommitBatch, CommitOutcome, DueSchedules,
    EndedLately, Entry, Expired, FunctionRecord, Lease, Note, Publish, PublishedEvent, Purged,
    Register, Release, Rerun, Route, Routed, RunFilter, RunPage, RunRecord, ScheduleChange,
    ScheduleRow, SharedStore, Store, StoredEvent, Subscription, Timestamp, Transition, WorkerId,
};
use crate::{
    error::Result,
    seal::{Keyring, Sealer},
};

mod entry;
mod held;
mod inward;
mod outward;
mod reencrypt;
mod rest;
mod schedules;
mod twins;

use held::Held;
pub use reencrypt::{Reencrypt, Reencrypted};

/// A store whose content is encrypted: it seals what it hands to another store and opens what comes back.
///
/// [`WorkerBuilder::encryption`](crate::WorkerBuilder::encryption) puts it around the store of a worker. By itself it is of use
/// for [`Runs::of`](crate::Runs::of), and for tests.
///
/// What it cannot open it returns sealed, as it is.
///
/// ```
/// use belts::{Keyring, Runs, store::{Encrypted, Memory}};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let store = Encrypted::new(Arc::new(Memory::new()), &Keyring::new("2026-11", [7; 32]))?;
/// assert!(Runs::of(Arc::new(store)).list().await?.runs.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Encrypted {
    inner: SharedStore,
    sealer: Arc<Sealer>,
    held: Arc<Held>,
}

impl Encrypted {
    /// Keeps everything in this store, sealed with the first key of the ring.
    ///
    /// # Errors
    /// Two keys have one id, or an id that is none.
    pub fn new(inner: SharedStore, keys: &Keyring) -> Result<Self> {
        Ok(Self {
            inner,
            sealer: Arc::new(Sealer::new(keys)?),
            held: Arc::default(),
        })
    }

    /// The same around another client of the store: what was leased by one may be committed by the other.
    #[must_use]
    pub fn beside(&self, inner: SharedStore) -> Self {
        Self {
            inner,
            ..self.clone()
        }
    }

    pub(crate) fn sealer(&self) -> &Arc<Sealer> {
        &self.sealer
    }

    /// Lets the store know that there is encryption, where others might publish in it without keys.
    #[cfg(feature = "postgres")]
    pub(crate) fn note(&self) -> BoxFuture<'_, Result<()>> {
        let transactions = self.inner.transactions();
        match transactions.and_then(super::transactions::Transactions::store::<super::Postgres>) {
            Some(postgres) => postgres.note_encryption().boxed(),
            None => std::future::ready(Ok(())).boxed(),
        }
    }

    /// Whether a run waits under other keys than publishers now use.
    pub(crate) async fn waits_elsewhere(&self, run_id: &str) -> Result<bool> {
        let mut journal = self.inner.journal(run_id).await?;
        let twins = twins::hide(&mut journal);
        Ok(journal.iter_mut().any(|waiting| {
            let stored = waiting.wait.as_mut().and_then(entry::secret_key).cloned();
            entry::open(&self.sealer, run_id, waiting);
            let own = waiting.seq;
            let mut lanes = twins.iter().filter(|(seq, _)| *seq == own);
            inward::is_elsewhere(&self.sealer, waiting, stored, |key| {
                lanes.any(|(_, lane)| lane == key)
            })
        }))
    }

    /// Publishes those again that conflict, with the digests that they may have been published with before.
    async fn settle_conflicts(
        &self,
        request: &Publish,
        sealed: &Publish,
        published: &mut [PublishedEvent],
    ) -> Result<()> {
        for (index, answer) in published.iter_mut().enumerate() {
            if !answer.conflict {
                continue;
            }
            for digest in self.sealer.earlier_digests(request.events[index].digest) {
                let mut event = sealed.events[index].clone();
                event.digest = digest;
                let again = Publish::new(vec![event], request.now);
                let settled = self.inner.publish(again).await?.pop();
                if let Some(settled) = settled.filter(|settled| !settled.conflict) {
                    *answer = settled;
                    break;
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Encrypted {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn register(&self, request: Register) -> Result<WorkerId> {
        self.inner.register(request).await
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.held.release(worker, &[]);
        self.inner.deregister(worker, now).await
    }

    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        let mut sealed = request.clone();
        for event in &mut sealed.events {
            self.sealer.seal_event(event)?;
        }
        let mut published = self.inner.publish(sealed.clone()).await?;
        if published.len() == request.events.len() {
            self.settle_conflicts(&request, &sealed, &mut published)
                .await?;
        }
        for run in published.iter().flat_map(|event| &event.runs) {
            if let Some(lease) = run.lease {
                self.held.take(lease, &run.run_id);
            }
        }
        Ok(published)
    }

    async fn claim(&self, mut request: Claim) -> Result<Claimed> {
        let (now, most) = (request.now, request.max_bytes);
        // What is sealed is text, and longer.
        request.max_bytes = most.saturating_add(most / 2);
        let mut claimed = self.inner.claim(request).await?;
        for run in &claimed.runs {
            self.held.take(run.lease, &run.run_id);
        }
        let mut moved = Vec::new();
        for run in &mut claimed.runs {
            moved.extend(inward::run(&self.sealer, &self.held, run)?);
        }
        if !moved.is_empty() {
            self.move_waits(moved, &mut claimed, now).await?;
        }
        self.leave_what_is_too_much(&mut claimed, most, now).await?;
        Ok(claimed)
    }

    async fn commit(&self, mut request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        let mut strange = Vec::new();
        for (index, commit) in request.commits.iter_mut().enumerate() {
            if !outward::commit(&self.sealer, &self.held, commit)? {
                // Of a lease that was not given here nobody knows the run. If it stands, the run goes back.
                *commit =
                    Commit::new(commit.lease).with_transition(Transition::suspend(request.now));
                strange.push(index);
            }
        }
        let ends = |commit: &Commit| commit.transition.is_some();
        let leases: Vec<(Lease, bool)> = request
            .commits
            .iter()
            .map(|commit| (commit.lease, ends(commit)))
            .collect();
        let mut outcomes = self.inner.commit(request).await?;
        for ((lease, ends), outcome) in leases.into_iter().zip(&outcomes) {
            if ends || *outcome == CommitOutcome::LeaseLost {
                self.held.end(lease);
            }
        }
        for index in strange {
            if let Some(outcome) = outcomes.get_mut(index) {
                *outcome = CommitOutcome::LeaseLost;
            }
        }
        Ok(outcomes)
    }

    async fn route(&self, mut request: Route) -> Result<Routed> {
        self.sealer.hash_flow(&mut request.flow);
        let lease = request.lease;
        let routed = self.inner.route(request).await?;
        if routed != Routed::Starts {
            self.held.end(lease);
        }
        Ok(routed)
    }

    async fn batch(&self, run: &str) -> Result<Vec<StoredEvent>> {
        let mut events = self.inner.batch(run).await?;
        for event in &mut events {
            inward::stored(&self.sealer, event);
        }
        Ok(events)
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.inner.renew(worker, now, lease).await
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        let revoked = self.inner.revoked(leases).await?;
        for lease in &revoked {
            self.held.end(*lease);
        }
        Ok(revoked)
    }

    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        let mut arrived = self.inner.arrived(leases).await?;
        for (lease, arrivals) in &mut arrived {
            inward::arrivals(&self.sealer, &self.held, *lease, arrivals);
        }
        Ok(arrived)
    }

    async fn release(&self, request: Release) -> Result<usize> {
        let (worker, keep) = (request.worker, request.keep.clone());
        let released = self.inner.release(request).await?;
        self.held.release(worker, &keep);
        Ok(released)
    }

    async fn woken(&self) {
        self.inner.woken().await;
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.inner.subscriptions().await
    }

    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        self.inner.awaited().await
    }

    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        let mut found = self.inner.run(run).await?;
        if let Some(record) = &mut found {
            inward::record(&self.sealer, record);
        }
        Ok(found)
    }

    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        let mut journal = self.inner.journal(run).await?;
        twins::hide(&mut journal);
        for written in &mut journal {
            entry::open(&self.sealer, run, written);
        }
        Ok(journal)
    }

    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        let mut page = self.inner.list(filter).await?;
        let runs = page.runs.into_iter().map(|mut record| {
            inward::record(&self.sealer, &mut record);
            record.listed()
        });
        page.runs = runs.collect();
        Ok(page)
    }

    async fn ended(&self, since: Timestamp, most: usize) -> Result<Option<EndedLately>> {
        self.inner.ended(since, most).await
    }

    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        self.inner.backlog(functions, now, most).await
    }

    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        self.inner.cancel(run, now).await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired> {
        self.inner.expire(now, most).await
    }

    async fn rerun(&self, request: Rerun) -> Result<bool> {
        self.inner.rerun(request).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.inner.purge(before, limit).await
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.inner.functions(now, most).await
    }

    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool> {
        self.inner.pause(function, now).await
    }

    async fn resume(&self, function: &str, now: Timestamp) -> Result<bool> {
        self.inner.resume(function, now).await
    }

    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        let mut found = self.inner.due_schedules(functions, now, most).await?;
        let due = found.due.into_iter();
        found.due = due.map(|row| self.open_schedule(row)).collect();
        Ok(found)
    }

    async fn change_schedules(
        &self,
        mut changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        for change in &mut changes {
            self.seal_change(change)?;
        }
        self.inner.change_schedules(changes, now).await
    }

    async fn schedules(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleRow>> {
        let found = self.inner.schedules(after, most).await?.into_iter();
        Ok(found.map(|row| self.open_schedule(row)).collect())
    }

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        let found = self.inner.schedule(name).await?;
        Ok(found.map(|row| self.open_schedule(row)))
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        self.inner.forget(function, now, limit).await
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        self.inner.note(run, note).await
    }
}
