//! What is cancelled stops.

use std::{sync::Arc, time::Duration};

use belts::{
    Runs, Worker, step,
    store::{Memory, RunStatus, Store},
};

use crate::gated::{
    Named, effect, effects, eventually, gate, looped, named, publish_named, within,
};

/// Says when its future goes.
struct Gone(String);

impl Drop for Gone {
    fn drop(&mut self) {
        effect(format!("{} gone", self.0));
    }
}

/// Does its effect, and never comes to the end of its first step unless its gate opens.
#[belts::function(id = "to-be-cancelled", on = Named)]
async fn to_be_cancelled(event: Named) -> belts::Result<()> {
    let name = &event.name;
    let _gone = Gone(name.clone());
    step!("first", async {
        effect(name.as_str());
        gate(name).await;
    })
    .await?;
    step!("second", effect(format!("{name} second"))).await
}

async fn worker_on(store: &Memory) -> Worker {
    let builder = Worker::builder()
        .store(store.clone())
        .function(to_be_cancelled);
    builder
        .sweep(Duration::from_millis(50))
        .build()
        .await
        .unwrap()
}

/// A run was cancelled between its claim and the first turn of its drive. Nobody was told, and its first step ran.
#[tokio::test]
async fn a_run_that_is_cancelled_before_its_first_turn_runs_no_step() {
    let store = Memory::new();
    let worker = worker_on(&store).await;
    let running = looped(&worker);
    // Once the loop is there, a publish starts its run at once.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let published = publish_named(named("cancelled early")).via(&worker).await;
    let run_id = published.unwrap().runs[0].run_id.clone();
    assert!(worker.runs().cancel(&run_id).await.unwrap());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(effects("cancelled early"), 0);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// A run was cancelled during a step of two seconds. The step went on, and the next one ran as well.
#[tokio::test]
async fn a_run_that_is_cancelled_here_is_dropped_at_once() {
    let store = Memory::new();
    let worker = worker_on(&store).await;
    let delivery = worker
        .execute(named("cancelled here"))
        .run_id("cancelled-here");
    let executing = tokio::spawn(async move { delivery.await });
    eventually("the step begins", async || effects("cancelled here") == 1).await;
    assert!(worker.runs().cancel("cancelled-here").await.unwrap());
    eventually("the function is dropped", async || {
        effects("cancelled here gone") == 1
    })
    .await;
    let executed = within("the answer", executing).await.unwrap().unwrap();
    assert_eq!(executed.runs[0].status, RunStatus::Cancelled);
    crate::gated::open("cancelled here");
    assert_eq!(effects("cancelled here second"), 0);
}

/// The same from another process, which only the store knows of.
#[tokio::test]
async fn a_run_that_is_cancelled_elsewhere_is_dropped_soon() {
    let store = Memory::new();
    let worker = worker_on(&store).await;
    let running = looped(&worker);
    publish_named(named("cancelled elsewhere"))
        .via(&worker)
        .await
        .unwrap();
    eventually("the step begins", async || {
        effects("cancelled elsewhere") == 1
    })
    .await;
    let page = worker.runs().list().await.unwrap();
    let elsewhere = Runs::of(Arc::new(store.clone()));
    assert!(elsewhere.cancel(&page.runs[0].run_id).await.unwrap());
    eventually("the function is dropped", async || {
        effects("cancelled elsewhere gone") == 1
    })
    .await;
    crate::gated::open("cancelled elsewhere");
    let run = store.run(&page.runs[0].run_id).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    assert_eq!(effects("cancelled elsewhere second"), 0);
}
