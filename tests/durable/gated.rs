//! The function `gated`, effects that are counted, and gates that a test opens.

use std::{collections::BTreeMap, sync::Mutex};

use belts::{
    Event, Worker, step,
    store::{RunFilter, RunRecord, Store},
    testing::{Harness, ManualClock, TestRun},
};
pub(crate) use belts_suite::{within, within_time};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What steps did outside of belts, counted by name. A test uses names that no other test has.
static EFFECTS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// Does something outside of belts.
pub(crate) fn effect(name: impl Into<String>) {
    *EFFECTS.lock().unwrap().entry(name.into()).or_default() += 1;
}

/// How often it was done.
pub(crate) fn effects(name: &str) -> u32 {
    EFFECTS.lock().unwrap().get(name).copied().unwrap_or(0)
}

/// Returns when the condition holds.
///
/// # Panics
/// It does not hold within ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    within(what, waited).await;
}

/// Doors at which steps wait until a test opens them, by name.
static GATES: Mutex<BTreeMap<String, watch::Sender<bool>>> = Mutex::new(BTreeMap::new());

fn gate_of(name: &str) -> watch::Sender<bool> {
    GATES
        .lock()
        .unwrap()
        .entry(name.to_owned())
        .or_insert_with(|| watch::Sender::new(false))
        .clone()
}

/// Waits until the gate is open.
pub(crate) async fn gate(name: &str) {
    let gate = gate_of(name);
    let _ = gate.subscribe().wait_for(|open| *open).await;
}

/// Opens a gate for good.
pub(crate) fn open(name: &str) {
    gate_of(name).send_replace(true);
}

/// What the future has come to, unless the other one is over before. In the function itself a `select!` with a step is refused.
pub(crate) async fn unless<T>(
    other: impl Future<Output = ()>,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        () = other => None,
        output = future => Some(output),
    }
}

/// An event whose only content is a name, which tells tests apart.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Named {
    pub name: String,
}

pub(crate) fn named(name: &str) -> Named {
    Named {
        name: name.to_owned(),
    }
}

/// Does its effect, then waits at its gate.
#[belts::function(id = "gated", on = Named)]
pub(crate) async fn gated(event: Named) -> belts::Result<u32> {
    let name = &event.name;
    let work = step!("work", async {
        effect(name.as_str());
        gate(name).await;
        7
    })
    .await?;
    step!("after", {
        effect(format!("{name} after"));
        work
    })
    .await
}

/// A worker with one function and a clock that only the test moves.
pub(crate) async fn worker_of<M>(
    store: impl Store,
    function: impl belts::Function<M>,
    clock: &ManualClock,
) -> Worker {
    Worker::builder()
        .store(store)
        .clock(clock.clone())
        .function(function)
        .build()
        .await
        .unwrap()
}

/// The loop of a worker on a task.
pub(crate) fn looped(worker: &Worker) -> tokio::task::JoinHandle<belts::Result<()>> {
    let worker = worker.clone();
    tokio::spawn(async move { worker.run().await })
}

/// Every run of a function in a store.
pub(crate) async fn runs_of(store: &dyn Store, function: &str) -> Vec<RunRecord> {
    let filter = RunFilter::new().with_function(function);
    store.list(filter).await.unwrap().runs
}

/// A harness with one function.
pub(crate) async fn harness_of<M>(function: impl belts::Function<M>) -> Harness {
    let builder = Harness::builder().function(function);
    builder.build().await.unwrap()
}

/// The one run that there is.
pub(crate) fn only<T>(runs: belts::Result<Vec<TestRun<T>>>) -> TestRun<T> {
    let mut runs = runs.unwrap();
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}
