//! Runs as a whole: their attempts, their end, and what stays the same over both.

use std::{
    future::IntoFuture,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use belts::{Context, ErrorKind, sleep, step, store::RunStatus, testing::Harness};

use crate::support::{Named, effect, effects, eventually, gated, named, open, within};

#[belts::function(id = "third-time-lucky", on = Named, retries = 2, backoff = "1s..1s")]
async fn third_time_lucky(event: Named, cx: Context) -> belts::Result<u32> {
    step!("work", effect(event.name.as_str())).await?;
    match cx.attempt() {
        1 => Err(belts::Error::from_any("offline")),
        2 => panic!("at the disco"),
        attempt => Ok(attempt),
    }
}

#[tokio::test]
async fn a_function_is_retried_from_its_journal() {
    let harness = Harness::builder()
        .function(third_time_lucky)
        .build()
        .await
        .unwrap();
    let run = within("the run", harness.run(third_time_lucky, named("lucky")))
        .await
        .unwrap();
    assert_eq!(run.output().unwrap(), 3);
    assert_eq!(effects("lucky"), 1);
}

#[belts::function(id = "always-fails", on = Named, retries = 1, backoff = "1s..1s")]
async fn always_fails(event: Named) -> belts::Result<()> {
    effect(event.name.as_str());
    Err(belts::Error::from_any("offline"))
}

#[tokio::test]
async fn the_error_hook_is_called_once_for_a_failed_run() {
    let calls = Arc::new(AtomicU32::new(0));
    let hook = Arc::clone(&calls);
    let harness = Harness::builder()
        .function(always_fails)
        .worker(move |worker| {
            let calls = Arc::clone(&hook);
            worker.on_error(move |failure| {
                let calls = Arc::clone(&calls);
                async move {
                    assert_eq!(failure.function_id, "always-fails");
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
    let harness = harness.build().await.unwrap();
    let run = within("the run", harness.run(always_fails, named("hooked")))
        .await
        .unwrap();
    run.assert_failed();
    assert_eq!(effects("hooked"), 2);
    assert_eq!(run.error().unwrap().to_string(), "offline");
    eventually("the hook", async || calls.load(Ordering::SeqCst) == 1).await;
    harness.settle().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[belts::function(id = "limited", on = Named, retries = 0, timeout = "30s")]
async fn limited(event: Named) -> belts::Result<()> {
    effect(event.name.as_str());
    std::future::pending::<()>().await;
    Ok(())
}

#[tokio::test]
async fn a_function_that_takes_too_long_fails() {
    let harness = Harness::builder().function(limited).build().await.unwrap();
    let delivery = harness.run(limited, named("limited"));
    let running = tokio::spawn(async move { delivery.await });
    eventually("the function begins", async || effects("limited") == 1).await;
    harness.advance(Duration::from_secs(31));
    let run = within("the run", running).await.unwrap().unwrap();
    assert_eq!(run.error().unwrap().kind(), ErrorKind::TimedOut);
}

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    run_id: String,
    event_id: String,
    timestamp: SystemTime,
    key: String,
}

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

#[belts::function(id = "watchful", on = Named)]
async fn watchful(event: Named, cx: Context) -> belts::Result<()> {
    sleep!("later", "1h").await?;
    let look = || {
        let key = cx.idempotency_key("card");
        let (run_id, event_id) = (cx.run_id().to_owned(), cx.event_id().to_owned());
        SEEN.lock().unwrap().push(Seen {
            run_id,
            event_id,
            timestamp: cx.timestamp(),
            key,
        });
        effect(event.name.as_str());
        if effects(&event.name) < 3 {
            Err(belts::Error::from_any("once more"))
        } else {
            Ok(())
        }
    };
    step!("look", look()).await
}

#[tokio::test]
async fn context_and_idempotency_keys_are_stable_over_attempts() {
    let harness = Harness::builder().function(watchful).build().await.unwrap();
    let start = harness.now().to_system_time();
    within(
        "the run",
        harness.run(watchful, named("watched")).run_id("r"),
    )
    .await
    .unwrap()
    .assert_completed();
    harness.advance(Duration::from_secs(1));
    within(
        "another run",
        harness.run(watchful, named("watched")).run_id("s"),
    )
    .await
    .unwrap();
    let seen = SEEN.lock().unwrap().clone();
    assert_eq!(seen.len(), 4);
    assert!(seen[..3].iter().all(|other| *other == seen[0]), "{seen:?}");
    assert_eq!((seen[0].run_id.as_str(), seen[0].timestamp), ("r", start));
    assert_ne!(seen[3].key, seen[0].key, "another run has another key");
}

#[tokio::test]
async fn a_run_stops_at_the_step_that_was_asked_for() {
    let harness = Harness::builder().function(gated).build().await.unwrap();
    open("stopped");
    let run = within(
        "the run",
        harness
            .run(gated, named("stopped"))
            .run_id("r")
            .until("work"),
    )
    .await
    .unwrap();
    assert_eq!(run.status(), Some(RunStatus::Stopped));
    run.assert_steps(&["work"]);
    assert_eq!(effects("stopped after"), 0);
    let run = within("the rest", harness.run(gated, named("stopped")).run_id("r"))
        .await
        .unwrap();
    run.assert_completed().assert_steps(&["work", "after"]);
    assert_eq!(effects("stopped"), 1);
}

#[tokio::test]
#[should_panic(
    expected = "  - refund   (expected, not recorded)\n  + after   (recorded, not expected)"
)]
async fn a_wrong_expectation_shows_the_difference() {
    let harness = Harness::builder().function(gated).build().await.unwrap();
    open("expected");
    let run = harness.run(gated, named("expected")).await.unwrap();
    run.assert_steps(&["work", "refund"]);
}

#[belts::function(id = "step-by-step", on = Named)]
async fn step_by_step(_event: Named) -> belts::Result<u32> {
    for n in 0..200 {
        step!("step-{n}", n).await?;
    }
    Ok(200)
}

// A benchmark that resumed a stopped run again and again found that now and then nothing happened: the drive before had
// written its end and not yet left, and was taken for one that goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stopped_run_goes_on_each_time_it_is_asked() {
    let store = belts::store::Memory::new();
    let worker = belts::Worker::builder()
        .store(store.clone())
        .function(step_by_step)
        .build()
        .await
        .unwrap();
    for n in 0..200 {
        let execute = worker
            .execute(named("step-by-step"))
            .run_id("step-by-step")
            .until(format!("step-{n}"));
        within("the next step", execute.into_future())
            .await
            .unwrap();
        let journal = belts::store::Store::journal(&store, "step-by-step")
            .await
            .unwrap();
        assert_eq!(journal.len(), n + 1);
    }
}
