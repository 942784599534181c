//! Runs of which something cannot be written: neither hot loops nor silence.

use std::{sync::Arc, time::Duration};

use belts::{
    Worker, step,
    store::{Memory, RunStatus, SharedStore, Store},
    testing::{Faults, ManualClock},
};

use crate::gated::{Named, effect, effects, eventually, looped, named, publish_named, within};

#[belts::function(id = "charges", on = Named, retries = 1, backoff = "1s..1s")]
async fn charges(event: Named) -> belts::Result<String> {
    let name = &event.name;
    step!("charge", async {
        effect(name.as_str());
        "x".repeat(100_000)
    })
    .await
}

async fn worker_on(store: SharedStore, clock: &ManualClock) -> Worker {
    let builder = Worker::builder().shared_store(store).function(charges);
    builder.clock(clock.clone()).build().await.unwrap()
}

/// A store that failed each commit had a step evaluated 5,849 times in two seconds.
#[tokio::test]
async fn a_run_rests_the_longer_the_more_often_its_writes_fail() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let worker = worker_on(Arc::new(faults.clone()), &clock).await;
    let running = looped(&worker);
    faults.fail_commits_over(10_000);
    publish_named(named("rests")).via(&worker).await.unwrap();
    let start = clock.now();
    eventually("four evaluations", async || {
        clock.advance(Duration::from_millis(10));
        effects("rests") == 4
    })
    .await;
    // 250, 500 and 1000 ms, and what it takes to give the run back each time.
    let rested = clock.now().since(start);
    assert!(rested >= Duration::from_millis(1_750), "{rested:?}");
    faults.fail_commits_over(usize::MAX);
    eventually("the run", async || {
        clock.advance(Duration::from_millis(100));
        let runs = worker.runs().list().await.unwrap().runs;
        runs[0].status == RunStatus::Completed
    })
    .await;
    assert_eq!(effects("rests"), 5);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// On a disk that was nearly full a charge was made three times a second, for ever, since only its record did not fit.
#[tokio::test]
async fn a_run_whose_writes_alone_fail_ends_by_its_policy() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let worker = worker_on(Arc::new(faults.clone()), &clock).await;
    let running = looped(&worker);
    faults.fail_commits_over(10_000);
    let published = publish_named(named("fails alone")).via(&worker);
    published.await.unwrap();
    eventually("the end", async || {
        clock.advance(Duration::from_millis(500));
        let runs = worker.runs().list().await.unwrap().runs;
        runs[0].status == RunStatus::Failed
    })
    .await;
    // Five that are put down to the store, then the attempt and its retry.
    assert_eq!(effects("fails alone"), 7);
    let run = worker.runs().list().await.unwrap().runs.remove(0);
    let why = store.run(&run.run_id).await.unwrap().unwrap();
    assert_eq!(why.failed_attempts, 2);
    let why = why.failure().unwrap();
    assert_eq!(why.kind, "unwritable");
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[belts::function(id = "ready-at-once", on = Named)]
async fn ready_at_once(event: Named) -> belts::Result<usize> {
    let big = || {
        effect(event.name.as_str());
        "x".repeat(20 * 1024 * 1024)
    };
    let (one, two, three) = tokio::try_join!(
        step!("one", big()),
        step!("two", big()),
        step!("three", big())
    )?;
    Ok(one.len() + two.len() + three.len())
}

/// Results of more than a gigabyte that were ready at one moment went to Postgres in one commit, which it refuses: they were
/// sent again and again, and all the steps ran again.
#[tokio::test]
async fn results_that_are_ready_at_once_are_written_in_parts() {
    let faults = Faults::new(Arc::new(Memory::new()));
    let builder = Worker::builder()
        .store(faults.clone())
        .function(ready_at_once);
    let worker = builder
        .max_value_bytes(32 * 1024 * 1024)
        .build()
        .await
        .unwrap();
    faults.fail_commits_over(32 * 1024 * 1024);
    let executed = within("the run", worker.execute(named("in parts")))
        .await
        .unwrap();
    let bytes = executed.output::<usize>("ready-at-once").unwrap();
    assert_eq!(bytes, 60 * 1024 * 1024);
    assert_eq!(effects("in parts"), 3);
}
