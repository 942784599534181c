//! Runs as a whole: their attempts, their end, and what stays the same over both.

use std::{
    future::IntoFuture,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use belts::{
    Context, ErrorKind, Worker, sleep, step,
    store::{Memory, RunStatus, Store},
    testing::{Harness, ManualClock},
};

use tokio::sync::Semaphore;

use crate::{
    gated::{
        Named, effect, effects, eventually, gated, named, open, publish_named, within, worker_of,
    },
    late::Meddled,
};

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
    assert_eq!(calls.load(Ordering::SeqCst), 1, "it was called before");
    harness.settle().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[belts::function(id = "fails-at-once", on = Named, retries = 0)]
async fn fails_at_once(_: Named) -> belts::Result<()> {
    Err(belts::Error::from_any("offline"))
}

#[tokio::test]
async fn an_error_hook_that_panics_spoils_nothing() {
    let builder = Worker::builder()
        .store(Memory::new())
        .function(fails_at_once);
    let worker = builder.on_error(|_| async { panic!("of the hook") });
    let worker = worker.build().await.unwrap();
    for name in ["first", "second"] {
        let executed = within("the run", worker.execute(named(name)))
            .await
            .unwrap();
        let error = executed.output::<()>("fails-at-once").unwrap_err();
        assert_eq!(error.to_string(), "offline");
    }
}

#[tokio::test]
async fn an_error_hook_holds_nobody_up_and_is_finished_before_the_worker_ends() {
    let (called, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
    let finished = Arc::new(AtomicU32::new(0));
    let builder = Worker::builder()
        .store(Memory::new())
        .function(fails_at_once)
        .concurrency(1);
    let worker = builder.on_error({
        let (called, gate, finished) = (called.clone(), gate.clone(), finished.clone());
        move |_| {
            let (called, gate, finished) = (called.clone(), gate.clone(), finished.clone());
            async move {
                called.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                finished.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let worker = worker.build().await.unwrap();
    for name in ["first", "second"] {
        let publish = publish_named(named(name)).via(&worker);
        publish.await.unwrap();
    }
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    eventually("both have failed, though there is one place", async || {
        called.load(Ordering::SeqCst) == 2
    })
    .await;
    worker.shutdown();
    gate.add_permits(2);
    within("the worker ends", running).await.unwrap().unwrap();
    assert_eq!(finished.load(Ordering::SeqCst), 2);
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

/// Two requests named the same new run and the step at which it was to stop. One of them heard that the run was there, and forgot
/// the step for both: the drive, which had not begun, went on to the end.
#[tokio::test]
async fn a_request_that_is_a_duplicate_takes_no_step_to_stop_at_from_another() {
    let (clock, store) = (ManualClock::default(), Meddled::new(Memory::new()));
    let worker = worker_of(store.clone(), gated, &clock).await;
    open("asked twice");
    store.hold_publishes(true);
    let execute = || {
        let execute = worker.execute(named("asked twice")).run_id("asked twice");
        tokio::spawn(execute.until("work").into_future())
    };
    let both = [execute(), execute()];
    eventually("both are sent", async || {
        store.counts().held_publishes() == 2
    })
    .await;
    store.hold_published(true);
    store.hold_publishes(false);
    eventually("the duplicate is answered first", async || {
        store.counts().held_published() == 1 && store.counts().duplicates() == 1
    })
    .await;
    store.hold_published(false);
    for executed in both {
        let executed = within("the run", executed).await.unwrap().unwrap();
        assert_eq!(executed.runs[0].status, RunStatus::Stopped);
    }
    assert_eq!(effects("asked twice after"), 0);
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

/// Takes its time to go.
struct Lingering;

impl Drop for Lingering {
    fn drop(&mut self) {
        std::thread::sleep(Duration::from_millis(150));
    }
}

#[belts::function(id = "lingers", on = Named)]
async fn lingers(_event: Named) -> belts::Result<()> {
    let _lingering = Lingering;
    for n in 0..3 {
        step!("step-{n}", n).await?;
    }
    Ok(())
}

// A benchmark that resumed a stopped run again and again found that now and then nothing happened: the drive before had
// written its end and not yet left, and was taken for one that goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_run_goes_on_although_its_last_drive_lingers() {
    let store = belts::store::Memory::new();
    let builder = belts::Worker::builder().store(store.clone());
    let worker = builder.function(lingers).build().await.unwrap();
    for n in 0..3 {
        let execute = worker.execute(named("lingers")).run_id("lingers");
        let stopped = execute.until(format!("step-{n}")).into_future();
        within("the next step", stopped).await.unwrap();
        assert_eq!(store.journal("lingers").await.unwrap().len(), n + 1);
    }
}
