//! Short words for what the tests ask of a store.

use std::{sync::Arc, time::Duration};

use belts::{
    Timestamp,
    store::{
        After, AwaitedType, Capacity, Claim, Claimed, ClaimedRun, Commit, CommitBatch,
        CommitOutcome, Entry, FunctionCapacity, Lease, NewEvent, Parent, Publish, PublishedEvent,
        Register, StepKind, StepState, Store, Subscription, Target, Transition, Wait, WorkerId,
    },
};

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

/// A worker for `f` and `g`, which both listen to `t`.
pub(crate) async fn worker(store: &impl Store) -> belts::Result<WorkerId> {
    let subscriptions = ["f", "g"].map(|function| Subscription::new(function, ["t"]));
    store
        .register(Register::new(at(0), LEASE).with_subscriptions(subscriptions.into()))
        .await
}

/// An event for `f` alone.
pub(crate) fn event(id: &str) -> NewEvent {
    NewEvent::new(id, "t", *b"{}", at(0)).with_target(Target::subscribers_except(vec!["g".into()]))
}

pub(crate) async fn publish(store: &impl Store, event: NewEvent) -> belts::Result<PublishedEvent> {
    publish_to(store, event, None).await
}

/// Publishes, and leases the runs to a worker.
pub(crate) async fn publish_to(
    store: &impl Store,
    event: NewEvent,
    worker: Option<WorkerId>,
) -> belts::Result<PublishedEvent> {
    let request = Publish::new(vec![event], at(0)).with_claim(worker.map(capacity));
    Ok(store.publish(request).await?.remove(0))
}

pub(crate) fn capacity(worker: WorkerId) -> Capacity {
    let functions = ["f", "g"].map(|function| FunctionCapacity::new(function, 10_000));
    Capacity::new(worker, 10_000, functions)
}

pub(crate) async fn claim(
    store: &impl Store,
    worker: WorkerId,
    now: Timestamp,
) -> belts::Result<Claimed> {
    store.claim(Claim::new(capacity(worker), now)).await
}

/// Claims the run of this id.
pub(crate) async fn claim_named(
    store: &impl Store,
    worker: WorkerId,
    id: &str,
) -> belts::Result<ClaimedRun> {
    let only = Claim::new(capacity(worker), at(1)).with_only(id);
    Ok(store.claim(only).await?.runs.remove(0))
}

pub(crate) fn entry(seq: u32) -> Entry {
    Entry::new(
        seq,
        format!("step-{seq}"),
        StepKind::Step,
        StepState::Completed,
        at(1),
    )
    .with_attempts(1)
    .with_finished_at(at(1))
    .with_value("()", *b"{\"v\":1,\"ok\":null}")
}

/// An entry that waits for an event of the type `paid` without a key.
pub(crate) fn waiting(seq: u32, after: After) -> Entry {
    let wait = Wait::event([AwaitedType::new("paid", after)], None);
    let path = format!("wait-{seq}");
    Entry::new(seq, path, StepKind::Wait, StepState::Waiting, at(1)).with_wait(wait)
}

/// What it waits for.
pub(crate) fn paid(id: &str) -> NewEvent {
    NewEvent::new(id, "paid", *b"{}", at(0))
}

pub(crate) async fn commit(
    store: &impl Store,
    lease: Lease,
    entries: Vec<Entry>,
    transition: Option<Transition>,
) -> belts::Result<CommitOutcome> {
    let commit = Commit::new(lease)
        .with_entries(entries)
        .with_transition(transition);
    commit_one(store, commit).await
}

pub(crate) async fn commit_one(store: &impl Store, commit: Commit) -> belts::Result<CommitOutcome> {
    let batch = CommitBatch::new(vec![commit], at(1));
    Ok(store.commit(batch).await?[0])
}

pub(crate) fn complete() -> Transition {
    Transition::complete(*b"{\"v\":1,\"ok\":1}")
}

pub(crate) fn fail() -> Transition {
    Transition::fail(4, *b"{\"v\":1,\"err\":1}")
}

/// An event by which a run starts another one of `g`, which ends with it.
pub(crate) fn child(parent: &str, id: &str) -> NewEvent {
    NewEvent::new(format!("event of {id}"), "started", *b"{}", at(0))
        .with_target(Target::function("g", Some(id.into())))
        .with_parent(Parent::new(parent, 1).attached())
}

/// An entry that waits for the end of a run.
pub(crate) fn calling(seq: u32, id: &str) -> Entry {
    let path = format!("call-{seq}");
    Entry::new(seq, path, StepKind::Call, StepState::Waiting, at(1)).with_wait(Wait::run(id))
}

/// Publishes an event, and leases its run.
pub(crate) async fn begin(
    store: &impl Store,
    id: &str,
    worker: WorkerId,
) -> belts::Result<(Arc<str>, Lease)> {
    let published = publish_to(store, event(id), Some(worker)).await?;
    let run = &published.runs[0];
    let lease = run.lease.expect("there is room for the run");
    Ok((Arc::clone(&run.run_id), lease))
}
