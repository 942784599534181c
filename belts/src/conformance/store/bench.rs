//! What the cases work with: a storage, a client, and helpers for the usual requests.

use std::{sync::Arc, time::Duration};

use super::storage::Storage;
use crate::{
    error::Result,
    store::{
        Capacity, Claim, Claimed, ClaimedRun, Commit, CommitBatch, CommitOutcome, Entry,
        FunctionCapacity, Lease, NewEvent, Publish, PublishedEvent, Register, SharedStore,
        StepKind, StepState, Store, Subscription, Target, Timestamp, Transition, WorkerId,
    },
};

/// The lease time of the suite's workers.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// A time of the suite: `millis` after it begins.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

/// The output `{"v":1,"ok":…}` of some JSON.
pub(super) fn ok(json: &str) -> Arc<[u8]> {
    format!("{{\"v\":1,\"ok\":{json}}}").into_bytes().into()
}

/// A storage and its first client.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) storage: Boxed,
    pub(super) store: Client,
}

/// A storage, for `Debug`.
pub(super) struct Boxed(Box<dyn Storage>);

impl std::fmt::Debug for Boxed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Storage")
    }
}

impl Bench {
    pub(super) async fn new(storage: Box<dyn Storage>) -> Result<Self> {
        let store = Client(storage.open().await?);
        Ok(Self {
            storage: Boxed(storage),
            store,
        })
    }

    /// Another client of the storage.
    pub(super) async fn another(&self) -> Result<Client> {
        self.storage.another().await
    }
}

impl Boxed {
    pub(super) async fn another(&self) -> Result<Client> {
        Ok(Client(self.0.open().await?))
    }
}

/// A store with the suite's helpers.
#[derive(Debug, Clone)]
pub(super) struct Client(pub(super) SharedStore);

impl std::ops::Deref for Client {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Client {
    /// Registers a nameless worker at the beginning, for functions that each subscribe to the event type of their name.
    pub(super) async fn worker(&self, functions: &[&str]) -> Result<WorkerId> {
        let subscriptions = functions
            .iter()
            .map(|function| subscription(function, &[function]))
            .collect();
        self.register(Register::new(at(0), LEASE).with_subscriptions(subscriptions))
            .await
    }

    pub(super) async fn named_worker(&self, name: &str, now: Timestamp) -> Result<WorkerId> {
        self.register(Register::new(now, LEASE).with_name(name))
            .await
    }

    pub(super) async fn subscribe(&self, subscriptions: Vec<Subscription>) -> Result<WorkerId> {
        self.register(Register::new(at(0), LEASE).with_subscriptions(subscriptions))
            .await
    }

    /// Publishes events without claiming.
    pub(super) async fn publish_all(
        &self,
        events: Vec<NewEvent>,
        now: Timestamp,
    ) -> Result<Vec<PublishedEvent>> {
        self.publish(Publish::new(events, now)).await
    }

    /// Publishes one event at the beginning; returns the id of its first run.
    pub(super) async fn start(&self, id: &str, event_type: &str) -> Result<Arc<str>> {
        let published = self.publish_all(vec![event(id, event_type)], at(0)).await?;
        Ok(Arc::clone(&published[0].runs[0].run_id))
    }

    /// Claims up to 100 runs.
    pub(super) async fn take(
        &self,
        worker: WorkerId,
        functions: &[&str],
        now: Timestamp,
    ) -> Result<Claimed> {
        self.claim(Claim::new(capacity(worker, 100, functions), now))
            .await
    }

    /// Claims the one run that must be due.
    pub(super) async fn take_one(
        &self,
        worker: WorkerId,
        functions: &[&str],
        now: Timestamp,
    ) -> Result<ClaimedRun> {
        let mut claimed = self.take(worker, functions, now).await?;
        assert_eq!(claimed.runs.len(), 1, "one run must be due");
        Ok(claimed.runs.remove(0))
    }

    pub(super) async fn take_named(
        &self,
        worker: WorkerId,
        functions: &[&str],
        run: &Arc<str>,
        now: Timestamp,
    ) -> Result<Option<ClaimedRun>> {
        let only = Some(Arc::clone(run));
        let claimed = self
            .claim(Claim {
                capacity: capacity(worker, 100, functions),
                only,
                max_bytes: usize::MAX,
                now,
            })
            .await?;
        assert!(
            claimed.runs.len() <= 1,
            "a claim by name brings one run at most"
        );
        Ok(claimed.runs.into_iter().next())
    }

    pub(super) async fn write(
        &self,
        lease: Lease,
        entries: Vec<Entry>,
        transition: Option<Transition>,
        now: Timestamp,
    ) -> Result<CommitOutcome> {
        let commit = Commit::new(lease)
            .with_entries(entries)
            .with_transition(transition);
        self.commit_one(commit, now).await
    }

    pub(super) async fn commit_one(&self, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        let commits = vec![commit];
        let outcomes = self.commit(CommitBatch::new(commits, now)).await?;
        assert_eq!(outcomes.len(), 1, "one commit has one outcome");
        Ok(outcomes[0])
    }

    /// Commits, which must succeed.
    pub(super) async fn must_write(
        &self,
        lease: Lease,
        entries: Vec<Entry>,
        transition: Option<Transition>,
        now: Timestamp,
    ) -> Result<()> {
        let outcome = self.write(lease, entries, transition, now).await?;
        assert_eq!(outcome, CommitOutcome::Applied, "the lease holds");
        Ok(())
    }

    /// A run that must exist.
    pub(super) async fn record(&self, run: &str) -> Result<crate::store::RunRecord> {
        Ok(self
            .run(run)
            .await?
            .unwrap_or_else(|| panic!("the run {run} must be there")))
    }
}

pub(super) fn subscription(function: &str, event_types: &[&str]) -> Subscription {
    Subscription::new(function, event_types.iter().copied())
}

pub(super) fn capacity(worker: WorkerId, limit: usize, functions: &[&str]) -> Capacity {
    let each = functions.iter();
    let each = each.map(|function| FunctionCapacity::new(*function, 100));
    Capacity::new(worker, limit, each.collect::<Vec<_>>())
}

const PAYLOAD: &[u8; 7] = b"{\"a\":1}";

pub(super) fn event(id: &str, event_type: &str) -> NewEvent {
    NewEvent::new(id, event_type, *PAYLOAD, at(0))
}

pub(super) fn targeted(id: &str, function: &str, run: Option<&str>) -> NewEvent {
    let target = Target::function(function, run.map(Arc::from));
    event(id, "targeted").with_target(target)
}

/// A completed step.
pub(super) fn entry(seq: u32, path: &str, json: &str) -> Entry {
    Entry::new(seq, path, StepKind::Step, StepState::Completed, at(1))
        .with_attempts(1)
        .with_finished_at(at(2))
        .with_value("i32", ok(json))
}
