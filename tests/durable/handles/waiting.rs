//! Waiting for a run: what whoever waits is told when it is cancelled, or when the worker shuts down.

use std::{future::IntoFuture as _, time::Duration};

use belts::{
    ErrorKind, Worker, run_of, step,
    store::{Memory, RunStatus},
    testing::ManualClock,
};

use super::{parcel, settle, weigh, worker};
use crate::gated::{Named, effects, eventually, looped, named, open, within, worker_of};

/// Waits for a run in a step that has no retries.
#[belts::function(id = "handles-wait-in-a-step", on = Named, retries = 0)]
async fn waits_in_a_step(event: Named) -> belts::Result<u32> {
    let run = run_of(weigh, format!("{}-child", event.name));
    step!("wait", run.result(), retries = 0).await
}

/// The shutdown was the failure of the step, which ended the run for good: by a deploy.
#[tokio::test]
async fn a_shutdown_is_no_failure_of_a_step_that_waits() {
    let store = Memory::new();
    let build = async || {
        let builder = Worker::builder().store(store.clone()).function(weigh);
        builder.function(waits_in_a_step).build().await.unwrap()
    };
    for looping in [false, true] {
        let name = format!("deployed-{looping}");
        let worker = build().await;
        worker.configure(|options| options.grace = Duration::ZERO);
        let running = looping.then(|| looped(&worker));
        let child = weigh(parcel(&name, 9)).run_id(format!("{name}-child"));
        child.via(&worker).start().await.unwrap();
        let parent = waits_in_a_step(named(&name)).run_id(format!("{name}-parent"));
        let parent = parent.via(&worker).into_future();
        let parent = tokio::spawn(parent);
        let child = format!("weighed {name}");
        eventually("the child begins", async || effects(&child) == 1).await;
        worker.shutdown();
        if let Some(running) = running {
            running.await.unwrap().unwrap();
        }
        let error = within("it is told", parent).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shutdown);
        let next = build().await;
        if !looping {
            // Nobody takes a drive from a worker without a loop before its process ends.
            settle().await;
            let parent = run_of(waits_in_a_step, format!("{name}-parent"));
            let status = parent.via(&next).status().await.unwrap();
            assert_eq!(status, RunStatus::Running);
            continue;
        }
        open(&name);
        let parent = run_of(waits_in_a_step, format!("{name}-parent")).via(&next);
        let result = within("it goes on", parent.result()).await;
        assert_eq!(result.unwrap(), 9, "{name}");
    }
}

/// The clock stands still, so nobody looks again: it has to be told, with a loop and without.
#[tokio::test]
async fn who_waits_for_a_run_is_told_that_it_is_cancelled() {
    for looping in [false, true] {
        let clock = ManualClock::default();
        let worker = worker_of(Memory::new(), weigh, &clock).await;
        let running = looping.then(|| looped(&worker));
        let late = weigh(parcel("stopped", 1)).delay(Duration::from_secs(3600));
        let run = late.via(&worker).start().await.unwrap();
        assert_eq!(run.status().await.unwrap(), RunStatus::Pending);
        let waits = tokio::spawn({
            let run = run.clone();
            async move { run.result().await }
        });
        settle().await;
        assert!(run.cancel().await.unwrap());
        assert!(!run.cancel().await.unwrap(), "it has ended");
        let error = within("it is told", waits).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        worker.shutdown();
        if let Some(running) = running {
            running.await.unwrap().unwrap();
        }
    }
    assert_eq!(effects("weighed stopped"), 0);
}

#[tokio::test]
async fn who_waits_for_a_run_hears_that_the_worker_shuts_down() {
    let worker = worker(Memory::new()).await;
    let running = looped(&worker);
    let later = weigh(parcel("later", 1)).delay(Duration::from_secs(3600));
    let run = later.via(&worker).start().await.unwrap();
    let waits = tokio::spawn(async move { run.result().await });
    tokio::task::yield_now().await;
    worker.shutdown();
    running.await.unwrap().unwrap();
    let error = within("it is told", waits).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown);
}
