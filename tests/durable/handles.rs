//! Handles: a run that is started, and what it came to, from wherever its id is known.

use std::time::{Duration, SystemTime};

use belts::{
    ErrorKind, Event, RunHandle, Worker, run_of, step,
    store::{Memory, RunStatus, Sqlite},
    testing::{Harness, ManualClock},
};
use serde::{Deserialize, Serialize};

use crate::gated::{
    Named, effect, effects, eventually, gate, looped, named, open, within, worker_of,
};

mod waiting;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Parcel {
    name: String,
    grams: u32,
}

fn parcel(name: &str, grams: u32) -> Parcel {
    let name = name.to_owned();
    Parcel { name, grams }
}

#[belts::function(id = "handles-weigh", on = Parcel)]
async fn weigh(parcel: Parcel) -> belts::Result<u32> {
    let weighs = step!("weigh", async {
        effect(format!("weighed {}", parcel.name));
        gate(&parcel.name).await;
        parcel.grams
    });
    weighs.await
}

#[belts::function(id = "handles-refuse", on = Parcel)]
async fn refuse(parcel: Parcel) -> belts::Result<u32> {
    Err(belts::terminal(format!("no room for {}", parcel.name)))
}

#[belts::function(id = "handles-heavy", on = Parcel, when = |parcel| parcel.grams > 1_000)]
async fn heavy(parcel: Parcel) -> belts::Result<u32> {
    step!("weigh", parcel.grams).await
}

/// Starts in one step and waits in another.
#[belts::function(id = "handles-start-in-a-step", on = Named)]
async fn two_steps(event: Named) -> belts::Result<u32> {
    let run: RunHandle<u32> = step!(
        "start",
        async {
            let run = Box::pin(weigh(parcel(&event.name, 7)).start()).await?;
            let failed = format!("{} failed", event.name);
            if effects(&failed) == 0 {
                effect(failed);
                return Err(belts::retry_after(Duration::ZERO, "after the start"));
            }
            Ok(run)
        },
        retries = 2
    )
    .await?;
    step!("wait", run.result()).await
}

#[belts::function(id = "handles-start-outside", on = Named)]
async fn starts_outside(event: Named) -> belts::Result<u32> {
    weigh(parcel(&event.name, 1)).start().await?;
    Ok(0)
}

/// An id of its own makes it no better: once the run is purged, it would be started again.
#[belts::function(id = "handles-start-named-outside", on = Named)]
async fn starts_named_outside(event: Named) -> belts::Result<u32> {
    let run = weigh(parcel(&event.name, 1)).run_id("outside-1");
    run.start().await?;
    Ok(0)
}

#[belts::function(id = "handles-wait-outside", on = Named)]
async fn waits_outside(event: Named) -> belts::Result<u32> {
    run_of(weigh, event.name).result().await
}

async fn worker(store: impl belts::store::Store) -> Worker {
    let builder = Worker::builder().store(store).function(weigh);
    let builder = builder.function(refuse).function(heavy);
    let builder = builder.function(starts_outside).function(waits_outside);
    let builder = builder.function(starts_named_outside);
    builder.build().await.unwrap()
}

#[tokio::test]
async fn a_start_returns_before_the_run_ends() {
    let worker = worker(Memory::new()).await;
    let running = looped(&worker);
    let run = weigh(parcel("slow", 3)).via(&worker).start().await.unwrap();
    eventually("the step begins", async || effects("weighed slow") == 1).await;
    assert_eq!(run.status().await.unwrap(), RunStatus::Running);
    let moment = Duration::from_millis(1);
    assert_eq!(run.result_within(moment).await.unwrap(), None);
    open("slow");
    let result = within("it ends", run.result()).await;
    assert_eq!(result.unwrap(), 3);
    let later = run.result_within(Duration::ZERO).await;
    assert_eq!(later.unwrap(), Some(3), "what is there needs no time");
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// The process that started it need not have the function, nor does the one that asks.
#[tokio::test]
async fn a_handle_goes_from_process_to_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    open("sent");
    let publisher = async || {
        let store = Sqlite::open(&path).await.unwrap();
        let builder = Worker::builder().store(store).publish_only();
        builder.build().await.unwrap()
    };
    let driver = worker(Sqlite::open(&path).await.unwrap()).await;
    let (first, second) = (publisher().await, publisher().await);
    let run = weigh(parcel("sent", 4)).run_id("sent-1").via(&first);
    let sent = serde_json::to_string(&run.start().await.unwrap()).unwrap();
    assert_eq!(sent, r#"{"run_id":"sent-1","function_id":"handles-weigh"}"#);
    let running = looped(&driver);
    let run: RunHandle<u32> = serde_json::from_str(&sent).unwrap();
    assert_eq!(run, run_of(weigh, "sent-1"));
    let result = within("it ends elsewhere", run.via(&second).result()).await;
    assert_eq!(result.unwrap(), 4);
    driver.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_start_with_a_run_id_that_is_there_is_a_handle_on_that_run() {
    let worker = worker(Memory::new()).await;
    open("twice");
    for grams in [5, 6] {
        let call = weigh(parcel("twice", grams)).run_id("twice-1");
        let run = call.via(&worker).start().await.unwrap();
        assert_eq!(run.result().await.unwrap(), 5);
    }
    assert_eq!(effects("weighed twice"), 1);
    let other = refuse(parcel("twice", 5)).run_id("twice-1");
    let error = other.via(&worker).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownRun);
}

/// A step that starts a run and is retried would have it go on at once: before its delay, or in the pause of a retry. And a run
/// that was asked to stop at a step would go past it.
#[tokio::test]
async fn a_start_hastens_no_run_that_is_there() {
    let clock = ManualClock::default();
    let worker = worker_of(Memory::new(), weigh, &clock).await;
    let start = async || {
        let late = weigh(parcel("patient", 1)).delay(Duration::from_secs(60));
        let run = late.run_id("patient-1").via(&worker).start().await;
        run.unwrap()
    };
    let (first, again) = (start().await, start().await);
    assert_eq!(first, again);
    settle().await;
    assert_eq!(again.status().await.unwrap(), RunStatus::Pending);
    assert_eq!(effects("weighed patient"), 0);

    open("halted");
    let until = worker
        .execute(parcel("halted", 2))
        .function("handles-weigh");
    let stopped = until.run_id("halted-1").until("weigh").await.unwrap();
    assert_eq!(stopped.runs[0].status, RunStatus::Stopped);
    let run = weigh(parcel("halted", 2)).run_id("halted-1").via(&worker);
    let run = run.start().await.unwrap();
    settle().await;
    assert_eq!(run.status().await.unwrap(), RunStatus::Stopped);
    let error = run.result().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    // Whoever awaits the call wants its result.
    let call = weigh(parcel("halted", 2)).run_id("halted-1").via(&worker);
    assert_eq!(call.await.unwrap(), 2);
    assert_eq!(run.result().await.unwrap(), 2);
}

/// Lets whatever was spawned come to rest.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// A look takes its time on a store that is a file or a server; the time limit was over before its answer came.
#[tokio::test]
async fn a_result_that_is_there_needs_no_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    let worker = worker(Sqlite::open(&path).await.unwrap()).await;
    open("there");
    let call = weigh(parcel("there", 6)).run_id("there-1").via(&worker);
    call.await.unwrap();
    let run = run_of(weigh, "there-1").via(&worker);
    assert_eq!(run.result_within(Duration::ZERO).await.unwrap(), Some(6));
    let unknown = run_of(weigh, "there-2").via(&worker);
    let error = unknown.result_within(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownRun);
    worker.shutdown();
    worker.run().await.unwrap();
    assert_eq!(run.result().await.unwrap(), 6, "also after the shutdown");
}

/// Each end that is no output is an error which says what it was.
#[tokio::test]
async fn a_run_without_an_output_is_an_error_that_says_why() {
    let worker = worker(Memory::new()).await;
    let failed = refuse(parcel("refused", 1)).via(&worker).start().await;
    let failed = failed.unwrap();
    let error = failed.result().await.unwrap_err();
    assert!(error.report().contains("no room for refused"), "{error}");

    let skipped = heavy(parcel("light", 1)).via(&worker).start().await;
    let error = skipped.unwrap().result().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownRun);
    assert!(error.to_string().contains("a filter skipped it"), "{error}");

    let unknown = run_of(weigh, "never").via(&worker);
    for error in [
        unknown.result().await.unwrap_err(),
        unknown.status().await.unwrap_err(),
        unknown.cancel().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::UnknownRun, "{error}");
    }

    let wrong = run_of(weigh, failed.run_id()).via(&worker);
    let error = wrong.result().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownRun);
    assert!(error.to_string().contains("handles-refuse"), "{error}");

    open("typed");
    let done = weigh(parcel("typed", 2)).run_id("typed-1").via(&worker);
    done.await.unwrap();
    let handle = r#"{"run_id":"typed-1","function_id":"handles-weigh"}"#;
    let mistyped: RunHandle<String> = serde_json::from_str(handle).unwrap();
    let error = mistyped.via(&worker).result().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);

    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(40_000_000_000);
    worker.runs().purge(later).await.unwrap();
    let purged = run_of(weigh, "typed-1").via(&worker);
    let error = purged.result().await.unwrap_err();
    assert!(error.to_string().contains("it was purged"), "{error}");
}

/// A worker without a loop drives what somebody waits for, at its time.
#[tokio::test]
async fn a_worker_without_a_loop_drives_the_run_that_is_waited_for() {
    let clock = ManualClock::default();
    let worker = worker_of(Memory::new(), weigh, &clock).await;
    open("lone");
    let late = weigh(parcel("lone", 8)).delay(Duration::from_secs(60));
    let run = late.via(&worker).start().await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(effects("weighed lone"), 0, "a start drives nothing");
    let half = tokio::spawn({
        let run = run.clone();
        async move { run.result_within(Duration::from_secs(30)).await }
    });
    tokio::task::yield_now().await;
    clock.advance(Duration::from_secs(30));
    assert_eq!(within("it gives up", half).await.unwrap().unwrap(), None);
    clock.advance(Duration::from_secs(30));
    assert_eq!(within("it ends", run.result()).await.unwrap(), 8);
}

#[tokio::test]
async fn a_step_that_starts_a_run_is_retried_and_starts_one() {
    let builder = Harness::builder().function(two_steps).function(weigh);
    let harness = builder.build().await.unwrap();
    open("parcel");
    let run = harness.run(two_steps, named("parcel")).await.unwrap();
    assert_eq!(run.output().unwrap(), 7);
    assert_eq!(effects("weighed parcel"), 1);
    assert_eq!(harness.runs_of(weigh).await.unwrap().len(), 1);
}

/// They would start and wait again at every resumption.
#[tokio::test]
async fn starting_and_waiting_outside_of_a_step_are_errors_that_say_so() {
    let worker = worker(Memory::new()).await;
    let run = starts_outside(named("outside")).retries(0).via(&worker);
    let started = run.await.unwrap_err();
    let run = starts_named_outside(named("outside")).retries(0);
    let started_named = run.via(&worker).await.unwrap_err();
    let run = waits_outside(named("outside")).retries(0).via(&worker);
    let waited = run.await.unwrap_err();
    for error in [started, started_named, waited] {
        let report = error.report();
        assert!(report.contains("outside of a step"), "{report}");
    }
    assert_eq!(effects("weighed outside"), 0);
}

#[tokio::test]
async fn a_published_event_gives_handles_on_its_runs() {
    let worker = worker(Memory::new()).await;
    open("published");
    let event = parcel("published", 2_000);
    let published = publish_parcel(event).via(&worker).await.unwrap();
    let weighed = published.run_of(weigh).unwrap().via(&worker);
    assert_eq!(weighed.result().await.unwrap(), 2_000);
    let weighed = published.run_of(heavy).unwrap().via(&worker);
    assert_eq!(weighed.result().await.unwrap(), 2_000);
    assert!(published.run_of(waits_outside).is_none());
}
