//! Events that cancel runs while they are driven.

use std::sync::Arc;

use belts::{
    Worker,
    store::{SharedStore, StepState},
};

use super::*;
use crate::gated::{eventually, gate, looped, open, within};

/// Says when its future goes.
struct Dropped(String);

impl Drop for Dropped {
    fn drop(&mut self) {
        effect(format!("{} dropped", self.0));
    }
}

/// Stays in its second step until its gate opens.
#[belts::function(id = "z-cxl-gated", on = Begun, cancel_on = Left)]
async fn gated(begun: Begun) -> belts::Result<u32> {
    let name = &begun.customer;
    let first = step!("first", 1).await?;
    let second = step!("second", async {
        let _dropped = Dropped(name.clone());
        effect(name.as_str());
        gate(name).await;
        2
    })
    .await?;
    step!("third", effect(format!("{name} third"))).await?;
    Ok(first + second)
}

/// Publishes what cancels it, and ends at once.
#[belts::function(id = "z-cxl-self", on = Begun, cancel_on = Left, retries = 3)]
async fn by_itself(begun: Begun) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let name = &begun.customer;
    step!("leave", async { publish_left(left(name)).await.map(drop) }).await?;
    if name.ends_with("fails") {
        return Err("it fails as well".into());
    }
    Ok(())
}

/// Fails once; the next attempt comes after an hour.
#[belts::function(id = "z-cxl-fails", on = Begun, cancel_on = Left, backoff = "1h..1h")]
async fn failing(begun: Begun) -> Result<(), std::io::Error> {
    effect(begun.customer);
    Err(std::io::Error::other("no"))
}

everywhere! {
    a_step_is_dropped_at_its_next_await
    what_the_run_itself_publishes_cancels_it
    an_event_at_the_instant_of_the_end_leaves_one_outcome
}

async fn worker(store: SharedStore) -> Worker {
    let builder = Worker::builder().shared_store(store);
    let builder = builder.function(gated).function(by_itself);
    builder.build().await.unwrap()
}

async fn status(worker: &Worker, run_id: &str) -> RunStatus {
    worker.runs().get(run_id).await.unwrap().status
}

async fn a_step_is_dropped_at_its_next_await(place: impl Reopen, at: &str) {
    // One drives the run, and the event comes through the other.
    let first = worker(place.open().await.unwrap()).await;
    let other = worker(place.open().await.unwrap()).await;
    let running = looped(&first);
    let name = format!("{at} in a step");
    let run = gated(begun(&name)).run_id(&*name).via(&first);
    let run = run.start().await.unwrap();
    eventually("the step begins", async || effects(&name) == 1).await;
    publish_left(left(&name)).via(&other).await.unwrap();
    eventually("the step is dropped", async || {
        effects(&format!("{name} dropped")) == 1
    })
    .await;
    let error = within("the end", run.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    open(&name);
    assert_eq!(status(&other, &name).await, RunStatus::Cancelled);
    let journal = other.runs().journal(&name).await.unwrap();
    let mut recorded = journal
        .iter()
        .filter(|entry| entry.state != StepState::Waiting);
    assert_eq!(&*recorded.next().unwrap().path, "first");
    assert_eq!(recorded.count(), 0, "nothing but the first step");
    assert_eq!(effects(&format!("{name} third")), 0);
    first.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// Whether somebody had told of the event in time was chance, and another thing on each store.
async fn what_the_run_itself_publishes_cancels_it(place: impl Reopen, at: &str) {
    let worker = worker(place.open().await.unwrap()).await;
    for end in ["returns", "fails"] {
        let name = format!("{at} itself {end}");
        let run = by_itself(begun(&name)).run_id(&*name).via(&worker);
        let error = within("the end", run).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        assert_eq!(status(&worker, &name).await, RunStatus::Cancelled);
        let journal = worker.runs().journal(&name).await.unwrap();
        let leave = journal.iter().find(|entry| &*entry.path == "leave");
        assert_eq!(leave.unwrap().state, StepState::Completed);
    }
}

async fn an_event_at_the_instant_of_the_end_leaves_one_outcome(place: impl Reopen, at: &str) {
    let worker = worker(place.open().await.unwrap()).await;
    let other: SharedStore = place.open().await.unwrap();
    let running = looped(&worker);
    for nth in 0..20_u32 {
        let name = format!("{at} instant {nth}");
        let run = gated(begun(&name)).run_id(&*name).via(&worker);
        let run = run.start().await.unwrap();
        eventually("the step begins", async || effects(&name) == 1).await;
        let leaving = async {
            for _ in 0..nth {
                tokio::task::yield_now().await;
            }
            publish_left(left(&name)).via(&worker).await.unwrap();
        };
        let ending = async {
            open(&name);
            run.result().await
        };
        let ((), result) = within("both", async { tokio::join!(leaving, ending) }).await;
        let record = other.run(&name).await.unwrap().unwrap();
        match result {
            Ok(sum) => assert_eq!((sum, record.status), (3, RunStatus::Completed)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
                assert_eq!(record.status, RunStatus::Cancelled);
            }
        }
        assert_eq!(status(&worker, &name).await, record.status);
    }
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_run_between_attempts_is_cancelled_in_place_of_the_next() {
    let harness = crate::gated::harness_of(failing).await;
    harness.publish(begun("attempts")).await.unwrap();
    harness.travel(Duration::from_secs(60)).await.unwrap();
    assert_eq!(effects("attempts"), 1);
    harness.publish(left("attempts")).await.unwrap();
    harness.travel(Duration::from_secs(3 * 3600)).await.unwrap();
    let run = only(harness.runs_of(failing).await);
    assert_cancelled(&run, "z-cancel-left");
    assert_eq!(effects("attempts"), 1, "no attempt after the event");
}

/// A run that somebody waits for in place, without a loop.
#[tokio::test]
async fn a_call_that_is_awaited_returns_the_cause() {
    let worker = worker(Arc::new(Memory::new())).await;
    let name = "awaited";
    let executed = worker
        .execute(begun("awaited fails"))
        .function("z-cxl-self")
        .run_id(name);
    let executed = within("the end", executed).await.unwrap();
    assert_eq!(executed.runs[0].status, RunStatus::Cancelled);
    let error = executed.output::<()>("z-cxl-self").unwrap_err();
    assert!(
        error
            .report()
            .contains("cancelled by event `z-cancel-left` (id "),
        "{}",
        error.report()
    );
}
