//! Short words for what the tests ask of a store.

use std::{sync::Arc, time::Duration};

use belts::{
    Timestamp,
    store::{
        Capacity, Claim, Claimed, Commit, CommitBatch, CommitOutcome, Entry, EventDigest,
        FunctionCapacity, Lease, NewEvent, Publish, PublishedEvent, Register, StepKind, StepState,
        Store, Subscription, Target, Transition, WorkerId,
    },
};

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

/// A worker for `f` and `g`, which both listen to `t`.
pub(crate) async fn worker(store: &impl Store) -> belts::Result<WorkerId> {
    let subscriptions = ["f", "g"].map(|function| Subscription {
        function_id: function.into(),
        event_types: vec!["t".into()],
    });
    store
        .register(Register {
            name: None,
            subscriptions: subscriptions.into(),
            now: at(0),
            lease: LEASE,
        })
        .await
}

/// An event for `f` alone.
pub(crate) fn event(id: &str) -> NewEvent {
    NewEvent {
        id: id.into(),
        event_type: "t".into(),
        payload: Arc::from(*b"{}"),
        digest: EventDigest::of("t", b"{}"),
        correlation_key: None,
        due_at: at(0),
        retries: None,
        traceparent: None,
        target: Target::Subscribers {
            except: vec!["g".into()],
        },
    }
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
    let request = Publish {
        events: vec![event],
        claim: worker.map(capacity),
        now: at(0),
    };
    Ok(store.publish(request).await?.remove(0))
}

pub(crate) fn capacity(worker: WorkerId) -> Capacity {
    let functions = ["f", "g"].map(|function| FunctionCapacity {
        function_id: function.into(),
        limit: 10_000,
        event_types: None,
    });
    Capacity {
        worker,
        limit: 10_000,
        functions: functions.into(),
    }
}

pub(crate) async fn claim(
    store: &impl Store,
    worker: WorkerId,
    now: Timestamp,
) -> belts::Result<Claimed> {
    store
        .claim(Claim {
            capacity: capacity(worker),
            only: None,
            max_bytes: usize::MAX,
            now,
        })
        .await
}

pub(crate) fn entry(seq: u32) -> Entry {
    Entry {
        seq,
        path: format!("step-{seq}").into(),
        kind: StepKind::Step,
        state: StepState::Completed,
        type_name: "()".into(),
        value: Arc::from(*b"{\"v\":1,\"ok\":null}"),
        attempts: 1,
        due_at: None,
        started_at: at(1),
        finished_at: Some(at(1)),
    }
}

pub(crate) async fn commit(
    store: &impl Store,
    lease: Lease,
    entries: Vec<Entry>,
    transition: Option<Transition>,
) -> belts::Result<CommitOutcome> {
    let commits = vec![Commit {
        lease,
        entries,
        transition,
    }];
    let batch = CommitBatch {
        commits,
        now: at(1),
    };
    Ok(store.commit(batch).await?[0])
}

pub(crate) fn complete() -> Transition {
    Transition::Complete {
        output: Arc::from(*b"{\"v\":1,\"ok\":1}"),
    }
}

pub(crate) fn fail() -> Transition {
    Transition::Fail {
        failed_attempts: 4,
        error: Arc::from(*b"{\"v\":1,\"err\":1}"),
    }
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
