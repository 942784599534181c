//! How a run that is driven asks the store what has arrived for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use belts::{
    Error, Event, Worker, step,
    store::{Memory, SharedStore},
    testing::{Harness, ManualClock},
    wait,
};
use belts_suite::{Hooked, a_moment};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{OrderPaid, paid, publish_order_paid};
use crate::gated::{effect, effects, gate, looped, open, unless, within};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "waits-looks-begun", key = order)]
struct Begun {
    order: String,
}

fn begun(order: &str) -> Begun {
    let order = order.to_owned();
    Begun { order }
}

/// Awaits something of its own beside the wait, so that the run stays in memory.
#[belts::function(id = "waits-stays", on = Begun)]
async fn stays(begun: Begun) -> belts::Result<u32> {
    let paid = wait!("payment", OrderPaid, key = &begun.order);
    let paid = unless(gate(&begun.order), paid).await;
    paid.map_or(Ok(0), |paid| Ok(paid?.cents))
}

/// Waits for a second beside a step under way.
#[belts::function(id = "waits-beside-a-step", on = Begun)]
async fn beside_a_step(begun: Begun) -> belts::Result<Option<u32>> {
    let (paid, ()) = tokio::try_join!(
        wait!("payment", OrderPaid, key = &begun.order, timeout = "1s"),
        step!("long", async {
            effect(format!("{} long", begun.order));
            gate(&begun.order).await;
        }),
    )?;
    Ok(paid.map(|paid| paid.cents))
}

#[belts::function(id = "waits-from-now", on = Begun)]
async fn from_now(begun: Begun) -> belts::Result<u32> {
    let paid = wait!("payment", OrderPaid, key = &begun.order, since = "now").await?;
    Ok(paid.cents)
}

async fn worker(store: SharedStore, clock: &ManualClock) -> Worker {
    let builder = Worker::builder().shared_store(store).clock(clock.clone());
    let builder = builder.function(stays).function(beside_a_step);
    builder.build().await.unwrap()
}

/// A store whose looks are counted and go through `before`.
fn looked<F>(
    count: &Arc<AtomicU32>,
    before: impl Fn(u32) -> F + Clone + Send + Sync + 'static,
) -> SharedStore
where
    F: Future<Output = belts::Result<()>> + Send + 'static,
{
    let count = Arc::clone(count);
    Hooked::new(Arc::new(Memory::new()), move |method| {
        if method != "arrived" {
            return Box::pin(async { Ok(()) });
        }
        Box::pin(before(count.fetch_add(1, Ordering::SeqCst)))
    })
}

/// A run that stayed in memory beside its wait turned without end, and never asked the store.
#[tokio::test]
async fn a_run_that_stays_in_memory_finds_what_was_there() {
    let (clock, looks) = (ManualClock::default(), Arc::new(AtomicU32::new(0)));
    let store = looked(&looks, |_| async { Ok(()) });
    let worker = worker(store, &clock).await;
    let call = stays(begun("stays-early")).run_id("stays-early");
    let run = call.via(&worker).start().await.unwrap();
    publish_order_paid(paid("stays-early", 4))
        .via(&worker)
        .await
        .unwrap();
    let silent = stays(begun("stays-silent")).run_id("stays-silent");
    let silent = silent.via(&worker).start().await.unwrap();
    let running = looped(&worker);
    assert_eq!(within("it was there", run.result()).await.unwrap(), 4);
    a_moment().await;
    let so_far = looks.load(Ordering::SeqCst);
    assert!(so_far < 20, "{so_far} looks for two runs");
    open("stays-silent");
    assert_eq!(within("it ends", silent.result()).await.unwrap(), 0);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// One look that failed threw away the steps that were under way.
#[tokio::test]
async fn a_look_that_fails_is_made_again_and_harms_no_step() {
    let (clock, looks) = (ManualClock::default(), Arc::new(AtomicU32::new(0)));
    let store = looked(&looks, |look| async move {
        if look < 2 {
            return Err(Error::from_any("the answer was garbled"));
        }
        Ok(())
    });
    ends_with_its_step(worker(store, &clock).await, &clock, "fails").await;
    assert!(looks.load(Ordering::SeqCst) > 2);
}

/// One look without an answer froze every step of its run.
#[tokio::test]
async fn a_look_without_an_answer_holds_no_step_up() {
    let (clock, looks) = (ManualClock::default(), Arc::new(AtomicU32::new(0)));
    let answers = watch::Sender::new(false);
    let holds = answers.clone();
    let store = looked(&looks, move |_| {
        let mut answers = holds.subscribe();
        async move {
            let _ = answers.wait_for(|answers| *answers).await;
            Ok(())
        }
    });
    let worker = worker(store, &clock).await;
    let call = beside_a_step(begun("hangs")).run_id("hangs");
    let run = call.via(&worker).start().await.unwrap();
    let running = looped(&worker);
    within("it looks", async {
        while looks.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    open("hangs");
    within("the step ends", async {
        loop {
            let journal = worker.runs().journal("hangs").await.unwrap();
            if journal.iter().any(|entry| &*entry.path == "long") {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    answers.send_replace(true);
    clock.advance(Duration::from_secs(2));
    assert_eq!(within("it ends", run.result()).await.unwrap(), None);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

async fn ends_with_its_step(worker: Worker, clock: &ManualClock, name: &str) {
    let call = beside_a_step(begun(name)).run_id(name);
    let run = call.via(&worker).start().await.unwrap();
    let running = looped(&worker);
    let began = format!("{name} long");
    within("the step begins", async {
        while effects(&began) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    clock.advance(Duration::from_secs(2));
    a_moment().await;
    open(name);
    assert_eq!(within("it ends", run.result()).await.unwrap(), None);
    assert_eq!(effects(&began), 1, "the step was evaluated once");
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// A test's clock stands still: what was published before has the same time as the wait.
#[tokio::test]
async fn in_a_test_now_is_behind_what_was_published_before() {
    let builder = Harness::builder().function(from_now);
    let harness = builder.build().await.unwrap();
    harness.publish(paid("now", 1)).await.unwrap();
    let run = harness.run(from_now, begun("now")).run_id("now");
    run.await.unwrap();
    harness.publish(paid("now", 2)).await.unwrap();
    harness.settle().await.unwrap();
    let runs = harness.runs_of(from_now).await.unwrap();
    assert_eq!(runs[0].output().unwrap(), 2);
}
