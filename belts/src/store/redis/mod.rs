//! The store in Redis: several processes on one server, one script for each write, and no round trip beside it.
//!
//! Every write is one Lua script (`lua/`), which Redis runs whole and alone, so that it looks at the lease and writes
//! in one go. `docs/stores.md` says which keys there are.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    Arrival, Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, DueSchedules, EndedLately,
    Entry, Expired, FunctionRecord, Lease, Note, Publish, PublishedEvent, Purged, Register,
    Release, Rerun, Route, Routed, RunFilter, RunPage, RunRecord, ScheduleChange, ScheduleRow,
    Store, StoredEvent, StoredEvents, Subscription, Substitute, Timestamp, WorkerId, parts::Wake,
};
use crate::{
    error::Result,
    redis::{error, link, reply},
};

mod builder;
mod change;
mod claim;
mod commit;
mod flow;
mod functions;
mod inspect;
mod kept;
mod limits;
mod open;
mod publish;
mod rows;
mod schedules;
mod script;
mod server;
mod session;
mod set_aside;
mod tell;
mod wait_header;
mod waits;
mod watch;

pub use builder::RedisBuilder;
use error::Fault;
use link::Link;
use script::{Call, Script};
use tell::Teller;
use watch::Watch;

/// A store in Redis, version 6.2 or later, or in a server that speaks like it. Clones are the same store.
///
/// Any number of processes may work on one server. What was written is as durable as the server's own settings make it:
/// with `appendonly yes` a crash of the server loses at most its last second.
///
/// ```no_run
/// # async fn open() -> belts::Result<()> {
/// use belts::store::{Redis, Store};
/// let store = Redis::open("redis://127.0.0.1:6379").await?;
/// assert!(store.capabilities().shared);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    link: Arc<Link>,
    /// For what keeps leases: it waits behind no other call.
    lease_link: Link,
    /// What every key begins with: the prefix in braces, and a colon.
    keys: String,
    /// Milliseconds that the keys of a finished run live; empty for ever.
    ttl: String,
    /// Tells our own wake-ups from those of others.
    sender: String,
    /// Grows when a session gives back leases of which it never heard: what was sent before brings no more of them.
    round: AtomicU64,
    wake: Arc<Wake>,
    teller: Arc<Teller>,
    watch: Watch,
}

impl Redis {
    /// A call of a script with the keys of this store.
    fn call(&self, script: &'static Script) -> Call {
        Call::new(script, &self.inner.keys)
    }

    /// Runs a script; where its outcome is unknown, again, with a call that may say so.
    async fn run(&self, build: impl Fn(bool) -> Call + Send + Sync) -> Result<redis::Value> {
        self.run_on(&self.inner.link, build).await
    }

    async fn run_on(
        &self,
        link: &Link,
        build: impl Fn(bool) -> Call + Send + Sync,
    ) -> Result<redis::Value> {
        link.run(build).await.map_err(|fault| self.error(fault))
    }

    fn error(&self, fault: Fault) -> crate::Error {
        self.inner.link.error(fault)
    }

    /// Reads an answer.
    fn read<T>(&self, answer: Result<T, Fault>) -> Result<T> {
        answer.map_err(|fault| self.error(fault))
    }

    /// What a script is given that tells other processes of the runs that it leaves; nothing where it must not.
    fn sender_if(&self, tells: bool) -> &str {
        if tells { &self.inner.sender } else { "" }
    }

    /// Wakes the workers of this process; others hear of it from the script.
    fn wake(&self) {
        self.inner.wake.wake();
    }
}

impl Inner {
    /// Wakes the workers of this process after a write that left runs for others. `quiet` is what the teller said before it:
    /// without it, the script has told other processes.
    fn left_runs(&self, quiet: Option<Duration>) {
        self.wake.wake();
        match quiet {
            None => self.teller.told(),
            Some(quiet) => self.teller.tell_after(quiet),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("address", &self.inner.link.address())
            .field("keys", &self.inner.keys)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Redis {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .durable()
            .shared()
            .waits()
            .tags()
            .schedules()
            .flow()
            .lanes()
    }

    async fn register(&self, request: Register) -> Result<WorkerId> {
        self.begin_session(&request).await
    }

    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.end_session(worker, now).await
    }

    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        self.publish_events(&request).await
    }

    async fn claim(&self, request: Claim) -> Result<Claimed> {
        self.claim_runs(&request).await
    }

    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        self.write_commits(&request).await
    }

    async fn route(&self, request: Route) -> Result<Routed> {
        self.route_run(&request).await
    }

    async fn batch(&self, run: &str) -> Result<Vec<StoredEvent>> {
        self.read_batch(run).await
    }

    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.renew_lease(worker, now, lease).await
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        self.revoked_of(leases).await
    }

    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        self.arrived_for(leases).await
    }

    async fn release(&self, request: Release) -> Result<usize> {
        self.give_back(&request).await
    }

    async fn woken(&self) {
        let Inner { watch, wake, .. } = &*self.inner;
        watch.begin();
        wake.wait().await;
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.read_subscriptions().await
    }

    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        self.read_awaited().await
    }

    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        self.read_run(run).await
    }

    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        self.read_journal(run).await
    }

    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        self.list_runs(&filter).await
    }

    async fn ended(&self, since: Timestamp, most: usize) -> Result<Option<EndedLately>> {
        self.count_ended(since, most).await.map(Some)
    }

    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        self.count_due(functions, now, most).await
    }

    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        self.cancel_run(run, now).await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired> {
        self.expire_runs(now, most).await
    }

    async fn rerun(&self, request: Rerun) -> Result<bool> {
        self.rerun_run(&request).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.purge_runs(before, limit).await
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.read_functions(now, most).await
    }

    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool> {
        self.pause_function(function, now).await
    }

    async fn resume(&self, function: &str, _now: Timestamp) -> Result<bool> {
        self.resume_function(function).await
    }

    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        self.read_due_schedules(functions, now, most).await
    }

    async fn change_schedules(
        &self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        self.write_schedules(&changes, now).await
    }

    async fn schedules(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleRow>> {
        self.read_schedules(after, most).await
    }

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        self.read_schedule(name).await
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        self.forget_function(function, now, limit).await
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        self.keep_note(run, &note).await
    }

    async fn events(&self, after: Option<&str>, limit: usize) -> Result<StoredEvents> {
        self.stored_events(after, limit).await
    }

    async fn substitute(&self, values: Vec<Substitute>) -> Result<usize> {
        self.substitute_values(&values).await
    }
}
