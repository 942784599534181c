//! How much a worker takes on, and how it ends.

use std::time::Duration;

use belts::{
    Worker, step,
    store::{Memory, RunStatus},
    testing::ManualClock,
};

use crate::gated::{
    Named, effect, effects, eventually, gate, gated, looped, named, open, publish_named, runs_of,
    within, worker_of,
};

async fn settled() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn concurrency_can_be_changed_while_the_worker_runs() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = Worker::builder()
        .store(store.clone())
        .clock(clock)
        .function(gated)
        .concurrency(1);
    let worker = worker.build().await.unwrap();
    let running = looped(&worker);
    for _ in 0..4 {
        publish_named(named("many")).via(&worker).await.unwrap();
    }
    eventually("one run", async || effects("many") == 1).await;
    settled().await;
    assert_eq!(effects("many"), 1);
    worker.configure(|options| options.concurrency = 3);
    eventually("three runs", async || effects("many") == 3).await;
    settled().await;
    assert_eq!(effects("many"), 3);
    open("many");
    eventually("all runs", async || effects("many after") == 4).await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[belts::function(id = "two-at-once", on = Named, concurrency = 2)]
async fn two_at_once(event: Named) -> belts::Result<()> {
    step!("work", async {
        effect(event.name.as_str());
        gate(&event.name).await;
        effect(format!("{} done", event.name));
    })
    .await
}

#[tokio::test]
async fn a_function_runs_no_more_often_at_once_than_it_allows() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), two_at_once, &clock).await;
    let running = looped(&worker);
    for _ in 0..5 {
        publish_named(named("pair")).via(&worker).await.unwrap();
    }
    eventually("two runs", async || effects("pair") == 2).await;
    clock.advance(Duration::from_secs(2));
    settled().await;
    assert_eq!(effects("pair"), 2);
    open("pair");
    eventually("all runs", async || effects("pair done") == 5).await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_lets_the_running_step_finish_and_gives_the_rest_back() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), gated, &clock).await;
    let running = looped(&worker);
    publish_named(named("drained")).via(&worker).await.unwrap();
    eventually("the step begins", async || effects("drained") == 1).await;
    worker.shutdown();
    settled().await;
    assert!(!running.is_finished());
    open("drained");
    within("the shutdown", running).await.unwrap().unwrap();
    let run = runs_of(&store, "gated").await.remove(0);
    assert_eq!(
        (run.status, effects("drained after")),
        (RunStatus::Suspended, 0)
    );

    let next = worker_of(store.clone(), gated, &clock).await;
    let delivery = next.execute(named("drained")).run_id(&*run.run_id);
    assert_eq!(
        within("the rest", delivery)
            .await
            .unwrap()
            .output::<u32>("gated")
            .unwrap(),
        7
    );
    assert_eq!((effects("drained"), effects("drained after")), (1, 1));
}

#[tokio::test]
async fn a_step_that_outlasts_the_grace_period_is_given_up_and_runs_again() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), gated, &clock).await;
    let running = looped(&worker);
    publish_named(named("endless")).via(&worker).await.unwrap();
    eventually("the step begins", async || effects("endless") == 1).await;
    worker.shutdown();
    eventually("the shutdown", async || {
        clock.advance(Duration::from_secs(1));
        running.is_finished()
    })
    .await;
    let run = runs_of(&store, "gated").await.remove(0);
    assert_eq!(run.status, RunStatus::Suspended);

    open("endless");
    let next = worker_of(store.clone(), gated, &clock).await;
    let delivery = next.execute(named("endless")).run_id(&*run.run_id);
    within("the run", delivery).await.unwrap();
    assert_eq!((effects("endless"), effects("endless after")), (2, 1));
}
