//! What the cases about waits have in common: runs that wait, and the events that they wait for.

use std::sync::Arc;

use super::bench::{Bench, Client, LEASE, at, event, subscription};
use crate::{
    error::Result,
    store::{
        After, Arrival, AwaitedType, Awaits, ClaimedRun, Entry, NewEvent, Register, StepKind,
        StepState, Timestamp, Transition, Wait, WorkerId,
    },
};

/// Whether the store has nothing to be tested here.
pub(super) fn keeps_none(bench: &Bench) -> bool {
    !bench.store.capabilities().waits
}

impl Client {
    /// Registers a worker with functions that are started by the event of their name, and may all wait for these.
    pub(super) async fn waiter(&self, functions: &[&str], awaited: &[&str]) -> Result<WorkerId> {
        let subscriptions = functions.iter().map(|id| subscription(id, &[id]));
        let awaits = functions
            .iter()
            .map(|id| Awaits::new(*id, awaited.iter().copied()));
        let request = Register::new(at(0), LEASE)
            .with_subscriptions(subscriptions.collect())
            .with_awaits(awaits.collect());
        self.register(request).await
    }

    /// Starts a run of `f` and claims it.
    pub(super) async fn begin(&self, worker: WorkerId, id: &str) -> Result<ClaimedRun> {
        let run = self.start(id, "f").await?;
        let claimed = self.take_named(worker, &["f"], &run, at(0)).await?;
        Ok(claimed.expect("a new run can be claimed"))
    }

    /// Starts a run of `f` that waits for these, and suspends it until something arrives; its id.
    pub(super) async fn wait(
        &self,
        worker: WorkerId,
        id: &str,
        entries: Vec<Entry>,
    ) -> Result<Arc<str>> {
        let run = self.begin(worker, id).await?;
        let suspend = Some(Transition::suspend(None));
        self.must_write(run.lease, entries, suspend, at(1)).await?;
        Ok(run.run_id)
    }

    pub(super) async fn publish_one(&self, event: NewEvent, now: Timestamp) -> Result<()> {
        self.publish_all(vec![event], now).await?;
        Ok(())
    }
}

/// An event with a key.
pub(super) fn keyed(id: &str, event_type: &str, key: &str) -> NewEvent {
    event(id, event_type).with_correlation_key(key)
}

/// An entry that waits for events of these types.
pub(super) fn union(seq: u32, types: &[(&str, After)], key: Option<&str>) -> Entry {
    let types = types.iter();
    let types = types.map(|(event_type, after)| AwaitedType::new(*event_type, *after));
    Entry::new(
        seq,
        format!("wait-{seq}"),
        StepKind::Wait,
        StepState::Waiting,
        at(1),
    )
    .with_wait(Wait::event(types, key))
}

/// An entry that waits for a payment of an order, from the start of the run on.
pub(super) fn payment(seq: u32, key: &str) -> Entry {
    union(seq, &[("paid", After::Start)], Some(key))
}

/// The place behind which an entry looks for its first type.
pub(super) fn cursor(entry: &Entry) -> i64 {
    let Some(Wait::Event { types, .. }) = &entry.wait else {
        panic!("the wait must come back: {entry:?}");
    };
    match types[0].after {
        After::Place(place) => place,
        other => panic!("the journal has places alone, not {other:?}"),
    }
}

/// The entries and events that have met.
pub(super) fn met(arrivals: &[Arrival]) -> Vec<(u32, &str)> {
    let met = arrivals.iter();
    met.map(|arrival| (arrival.seq, &*arrival.event_id))
        .collect()
}
