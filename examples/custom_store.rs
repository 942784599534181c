//! A store of one's own: here one that wraps another and writes a line for whatever becomes of a run.
//!
//! The conformance suite then says whether it is a store; an own database would be tried in the same way.
//! Run it with `cargo run --example custom_store`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use belts::{
    Event, Result, Timestamp,
    conformance::store::{CASES, Storage, run_all},
    sleep, step,
    store::{
        Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, Entry, FunctionRecord, Lease,
        Memory, Note, Publish, PublishedEvent, Purged, Register, Release, RunFilter, RunPage,
        RunRecord, SharedStore, Store, Subscription, Transition, WorkerId,
    },
};
use serde::{Deserialize, Serialize};

/// Keeps an account of runs. Everything else is the business of the store inside.
#[derive(Debug, Clone)]
struct Audited<S> {
    inner: S,
    lines: Arc<Mutex<Vec<String>>>,
}

impl<S> Audited<S> {
    fn new(inner: S) -> Self {
        Self {
            inner,
            lines: Arc::default(),
        }
    }

    fn note(&self, line: String) {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }
}

#[async_trait]
impl<S: Store> Store for Audited<S> {
    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        let published = self.inner.publish(request).await?;
        // Only now is it durable; before, nothing has happened.
        for event in published.iter().filter(|event| !event.duplicate) {
            for run in &event.runs {
                self.note(format!("{} begins", run.function_id));
            }
        }
        Ok(published)
    }

    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        let outcomes = self.inner.commit(request.clone()).await?;
        for (commit, outcome) in request.commits.iter().zip(&outcomes) {
            // A worker whose lease has ended wrote nothing.
            if *outcome == CommitOutcome::LeaseLost {
                continue;
            }
            for entry in &commit.entries {
                self.note(format!(
                    "  {:?} {} is {:?}",
                    entry.kind, entry.path, entry.state
                ));
            }
            match &commit.transition {
                Some(Transition::Suspend { .. }) => self.note("  waits".into()),
                Some(Transition::Retry {
                    failed_attempts, ..
                }) => self.note(format!("  failed {failed_attempts} times")),
                Some(Transition::Complete { output }) => {
                    self.note(format!(
                        "completed with {}",
                        String::from_utf8_lossy(output)
                    ));
                }
                Some(Transition::Fail { error, .. }) => {
                    self.note(format!("failed with {}", String::from_utf8_lossy(error)));
                }
                Some(Transition::Stop | Transition::Skip) | None => {}
            }
        }
        Ok(outcomes)
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn register(&self, request: Register) -> Result<WorkerId> {
        self.inner.register(request).await
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.inner.deregister(worker, now).await
    }

    async fn claim(&self, request: Claim) -> Result<Claimed> {
        self.inner.claim(request).await
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.inner.renew(worker, now, lease).await
    }

    async fn release(&self, request: Release) -> Result<usize> {
        self.inner.release(request).await
    }

    async fn woken(&self) {
        self.inner.woken().await;
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.inner.subscriptions().await
    }

    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        self.inner.run(run).await
    }

    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        self.inner.journal(run).await
    }

    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        self.inner.list(filter).await
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

    async fn rerun(&self, run: &str, now: Timestamp) -> Result<bool> {
        self.inner.rerun(run, now).await
    }

    async fn rerun_from(&self, run: &str, seq: u32, now: Timestamp) -> Result<bool> {
        self.inner.rerun_from(run, seq, now).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.inner.purge(before, limit).await
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        self.inner.revoked(leases).await
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.inner.functions(now, most).await
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        self.inner.forget(function, now, limit).await
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        self.inner.note(run, note).await
    }
}

/// What the conformance suite asks for: clients of one storage.
struct AuditedMemory(Memory);

#[async_trait]
impl Storage for AuditedMemory {
    async fn open(&self) -> Result<SharedStore> {
        Ok(Arc::new(Audited::new(self.0.clone())))
    }
}

/// Somebody ordered tea.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct TeaOrdered {
    cups: u32,
}

#[belts::function(id = "make-tea", on = TeaOrdered)]
async fn make_tea(order: TeaOrdered) -> belts::Result<u32> {
    let millilitres = step!("boil", order.cups * 250).await?;
    sleep!("brew", "300ms").await?;
    step!("pour", millilitres / 250).await
}

#[tokio::main]
async fn main() -> belts::Result<()> {
    let store = Audited::new(Memory::new());
    let worker = belts::Worker::builder()
        .store(store.clone())
        .build()
        .await?;
    worker.execute(TeaOrdered { cups: 2 }).await?;
    for line in store
        .lines
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        println!("{line}");
    }

    run_all(|| AuditedMemory(Memory::new())).await;
    println!("it keeps all {} rules of a store", CASES.len());
    Ok(())
}
