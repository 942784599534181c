//! `on_failure`: a run that fails starts the functions that handle it, in the write that ends it, and once.

use std::{sync::Arc, time::Duration};

use belts::{
    Error, ErrorKind, Event, Failed, Terminal as _, Worker, call, sleep, step,
    store::{Memory, NewEvent, Publish, RunFilter, RunStatus, SharedStore, Target},
    testing::{Faults, Harness, HarnessBuilder, ManualClock, Reopen, SqliteFile, sweep},
};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    gated::{Named, effect, effects, eventually, looped, named, only, publish_named, within_time},
    places::{InSchema, UnderPrefix},
};

/// A server takes a while to open a store.
const LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("the card of {of} is blocked")]
struct Blocked {
    of: String,
}

fn blocked(name: &str) -> Error {
    Error::from_value(Blocked {
        of: name.to_owned(),
    })
}

/// Fails by what its name says.
#[belts::function(id = "z-failing", on = Named, retries = 2, backoff = "1s..2s")]
async fn failing(event: Named) -> belts::Result<usize> {
    let name = event.name;
    step!("look", effect(format!("{name} looked"))).await?;
    if name.starts_with("step") {
        let charged = step!("charge", Err::<(), _>(blocked(&name)).terminal());
        charged.await?;
    }
    assert!(!name.starts_with("panic"), "out of paper");
    if name.starts_with("error") {
        return Err(blocked(&name));
    }
    Ok(name.len())
}

#[belts::function(id = "z-failing-handled", on_failure = failing)]
async fn handled(failed: Failed<Named>) -> belts::Result<String> {
    let name = failed.event.name.clone();
    step!("note", effect(format!("{name} noted"))).await?;
    sleep!("a while", "1h").await?;
    let Failed {
        function_id,
        run_id,
        status,
        attempts,
        ..
    } = &failed;
    let value = failed.cause().value::<Blocked>().map(|it| it.of);
    let what = format!(
        "{function_id} {run_id} {status} after {attempts}: {}",
        failed.error
    );
    step!(
        "tell",
        format!("{what} at {:?} with {value:?}", failed.step)
    )
    .await
}

fn functions(harness: HarnessBuilder) -> HarnessBuilder {
    harness.function(failing).function(handled)
}

async fn harness() -> Harness {
    functions(Harness::builder()).build().await.unwrap()
}

/// What the handler of the only failed run says.
async fn said(harness: &Harness, name: &str) -> String {
    let run = harness
        .run(failing, named(name))
        .run_id(name)
        .await
        .unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    harness.settle().await.unwrap();
    let handler = only(harness.runs_of(handled).await);
    handler.assert_steps(&["note", "a while", "tell"]);
    let said = handler.output().unwrap();
    let report = run.output().unwrap_err().report();
    assert!(said.contains(&report), "{said}: {report}");
    said
}

#[tokio::test]
async fn a_handler_is_told_of_the_step_that_failed() {
    let harness = harness().await;
    let expected = "z-failing step-1 failed after 1: step `charge` failed: terminal error: Blocked: the card of step-1 is blocked \
                    at Some(\"charge\") with Some(\"step-1\")";
    assert_eq!(said(&harness, "step-1").await, expected);
}

#[tokio::test]
async fn a_handler_is_told_after_the_last_attempt() {
    let harness = harness().await;
    let expected = "z-failing error-1 failed after 3: Blocked: the card of error-1 is blocked at None with Some(\"error-1\")";
    assert_eq!(said(&harness, "error-1").await, expected);
    assert_eq!(effects("error-1 noted"), 1);
}

#[tokio::test]
async fn a_handler_is_told_of_a_panic() {
    let harness = harness().await;
    let said = said(&harness, "panic-1").await;
    assert!(said.contains("after 3: panicked: out of paper"), "{said}");
}

#[tokio::test]
async fn a_run_that_completes_or_is_cancelled_starts_no_handler() {
    let builder = functions(Harness::builder()).function(rests);
    let harness = builder.function(rested).build().await.unwrap();
    let run = harness.run(failing, named("well")).await.unwrap();
    assert_eq!(run.output().unwrap(), 4);
    let runs = harness.worker().runs();
    let run = harness.run(rests, named("cancelled")).run_id("rests");
    run.until("before").await.unwrap();
    assert!(runs.cancel("rests").await.unwrap());
    harness.settle().await.unwrap();
    assert!(harness.runs_of(handled).await.unwrap().is_empty());
    assert!(harness.runs_of(rested).await.unwrap().is_empty());
}

#[belts::function(id = "z-failing-rests", on = Named)]
async fn rests(event: Named) -> belts::Result<()> {
    step!("before", event.name.len()).await?;
    sleep!("long", "240h").await
}

#[belts::function(id = "z-failing-rested", on_failure = rests)]
async fn rested(_: Failed<Named>) -> belts::Result<()> {
    step!("note", effect("it was cancelled and handled")).await
}

#[tokio::test]
async fn a_rerun_that_fails_starts_the_handler_once_more() {
    let harness = harness().await;
    let run = harness.run(failing, named("step-2")).run_id("step-2").await;
    assert_eq!(run.unwrap().status(), Some(RunStatus::Failed));
    let runs = harness.worker().runs();
    assert!(runs.rerun("step-2").await.unwrap());
    let again = harness.run(failing, named("step-2")).run_id("step-2").await;
    assert_eq!(again.unwrap().status(), Some(RunStatus::Failed));
    assert_eq!(harness.runs_of(handled).await.unwrap().len(), 2);
    // The handlers belong to the run that failed, and outlive it.
    let below = RunFilter::new().with_parent("step-2");
    let below = harness.store().shared().list(below).await.unwrap().runs;
    let parents = below.iter().map(|run| run.parent.as_ref().unwrap());
    assert!(parents.into_iter().all(|parent| !parent.attached));
    assert_eq!(below.len(), 2);
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct FailureWanted {
    cents: u64,
}

#[derive(Serialize, Deserialize, Event)]
enum Either {
    Named(Named),
    FailureWanted(FailureWanted),
}

#[belts::function(id = "z-failing-too", on = FailureWanted)]
async fn failing_too(event: FailureWanted) -> belts::Result<()> {
    step!("refuse", async {
        Err(belts::terminal(format!("{} is too much", event.cents)))
    })
    .await
}

#[belts::function(id = "z-failing-either", on_failure = [failing, failing_too], when = |failed| !failed.error.contains("unwanted"))]
async fn either(failed: Failed<Either>) -> belts::Result<String> {
    let what = match failed.event {
        Either::Named(event) => event.name,
        Either::FailureWanted(event) => format!("{} cents", event.cents),
    };
    step!("say", format!("{what}: {}", failed.error)).await
}

#[tokio::test]
async fn one_handler_may_be_for_several_functions_and_one_function_have_several() {
    let builder = functions(Harness::builder()).function(failing_too);
    let harness = builder.function(either).build().await.unwrap();
    harness.run(failing, named("step-3")).await.unwrap();
    harness
        .run(failing_too, FailureWanted { cents: 7 })
        .await
        .unwrap();
    harness.settle().await.unwrap();
    let said: Vec<_> = harness.runs_of(either).await.unwrap();
    let mut said: Vec<_> = said.iter().map(|run| run.output().unwrap()).collect();
    said.sort();
    let expected = [
        "7 cents: step `refuse` failed: terminal error: 7 is too much",
        "step-3: step `charge` failed: terminal error: Blocked: the card of step-3 is blocked",
    ];
    assert_eq!(said, expected);
    only(harness.runs_of(handled).await);
    // Its filter speaks of what it is told.
    harness.run(failing, named("step unwanted")).await.unwrap();
    harness.settle().await.unwrap();
    assert_eq!(harness.runs_of(either).await.unwrap().len(), 2);
}

#[belts::function(id = "z-failing-caller", on = Named, retries = 0)]
async fn caller(event: Named) -> belts::Result<usize> {
    call!("child", failing(event)).await
}

#[belts::function(id = "z-failing-called", on_failure = caller)]
async fn called(failed: Failed<Named>) -> belts::Result<String> {
    step!("say", failed.cause().kind().as_str().to_owned()).await
}

#[tokio::test]
async fn a_child_that_fails_has_its_own_handler_and_its_caller_another() {
    let builder = functions(Harness::builder()).function(caller);
    let harness = builder.function(called).build().await.unwrap();
    harness.run(caller, named("step-4")).await.unwrap();
    harness.settle().await.unwrap();
    assert_eq!(
        only(harness.runs_of(called).await).output().unwrap(),
        "child"
    );
    only(harness.runs_of(handled).await);
}

/// The runs of handlers begin at once where a loop runs, without a sweep.
#[tokio::test]
async fn a_handler_begins_at_once() {
    let worker = Worker::builder().store(Memory::new());
    let worker = worker.sweep(Duration::from_secs(3600));
    let worker = worker.function(failing).function(handled).build().await;
    let worker = worker.unwrap();
    let running = looped(&worker);
    let failed = failing(named("step-5")).via(&worker).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::StepFailed);
    eventually("the handler begins", async || effects("step-5 noted") == 1).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// A run that no worker could go on with fails as any other.
#[tokio::test]
async fn a_run_that_is_given_up_starts_its_handler() {
    let harness = Harness::builder().function(runaway).function(ran_away);
    let harness = harness.build().await.unwrap();
    harness.run(runaway, named("runaway")).await.unwrap();
    harness.settle().await.unwrap();
    let handler = only(harness.runs_of(ran_away).await);
    assert_eq!(handler.output().unwrap(), "too-many-steps");
}

#[belts::function(id = "z-failing-runaway", on = Named, max_steps = 3)]
async fn runaway(event: Named) -> belts::Result<()> {
    for n in 0..10 {
        step!("round {n}", event.name.len()).await?;
    }
    Ok(())
}

#[belts::function(id = "z-failing-ran-away", on_failure = runaway)]
async fn ran_away(failed: Failed<Named>) -> belts::Result<String> {
    step!("say", failed.cause().kind().as_str().to_owned()).await
}

/// Types that begin with `belts.` are no events that anybody publishes.
#[tokio::test]
async fn what_tells_of_failures_is_published_by_nobody_else() {
    let harness = harness().await;
    let failed = Failed::new(named("made-up"), "z-failing", "r", &belts::terminal("no"));
    let error = harness.worker().execute(failed.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownEvent);
    // One handler alone may be called, as any function.
    let run = harness.run(handled, failed).await.unwrap();
    let expected = "z-failing r failed after 1: terminal error: no at None with None";
    assert_eq!(run.output().unwrap(), expected);
}

/// A parameter may be called as the function is whose failures a handler takes.
#[belts::function(id = "z-failing-failed", on = Named, retries = 0)]
async fn failed(event: Named) -> belts::Result<()> {
    let name = event.name;
    step!("refuse", Err::<(), _>(belts::terminal(name.clone()))).await
}

#[belts::function(id = "z-failing-failed-too", on_failure = failed)]
async fn failed_too(failed: Failed<Named>) -> belts::Result<usize> {
    step!("length", failed.event.name.len()).await
}

async fn failed_worker(store: SharedStore, clock: &ManualClock) -> Worker {
    let builder = Worker::builder().shared_store(store).clock(clock.clone());
    let builder = builder.function(failed).function(failed_too);
    builder.build().await.unwrap()
}

/// The runs of handlers were written again with each attempt to say that the run has failed, which so never did.
#[tokio::test]
async fn a_run_whose_handlers_cannot_be_written_fails_without_them() {
    let clock = ManualClock::default();
    let faults = Faults::new(Arc::new(Memory::new()));
    let worker = failed_worker(Arc::new(faults.clone()), &clock).await;
    let running = looped(&worker);
    faults.fail_commits_over(10_000);
    let big = "x".repeat(20_000);
    publish_named(named(&big)).via(&worker).await.unwrap();
    let runs = worker.runs();
    eventually("the end", async || {
        clock.advance(Duration::from_millis(500));
        let run = runs.list().await.unwrap().runs.remove(0);
        run.status == RunStatus::Failed
    })
    .await;
    assert_eq!(runs.list().await.unwrap().runs.len(), 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// What failed a run by its event fails the handler too, which is there and can be found.
#[tokio::test]
async fn an_event_that_cannot_be_read_fails_the_handler_as_well() {
    for payload in [
        &b"{\"nome\":1}"[..],
        b"no json",
        b"",
        b"{\"name\":\"\xff\"}",
    ] {
        let harness = harness().await;
        let now = harness.now();
        let target = Target::function("z-failing", Some("bad".into()));
        let event = NewEvent::new("bad", "named", payload, now).with_target(target);
        let store = harness.store().shared();
        store.publish(Publish::new(vec![event], now)).await.unwrap();
        for _ in 0..3 {
            harness.travel(Duration::from_secs(3_600)).await.unwrap();
        }
        let run = harness.store().run("bad").await.unwrap();
        assert_eq!(run.status, RunStatus::Failed);
        let handler = only(harness.runs_of(handled).await);
        assert_eq!(
            handler.output().unwrap_err().kind(),
            ErrorKind::InvalidEvent
        );
    }
}

async fn every_crash<P: Reopen>(place: fn() -> P) {
    let swept = sweep(place).function(failing).event(named("step-swept"));
    let swept = swept.harness(functions).check(|case| {
        assert_eq!(case.run.status(), Some(RunStatus::Failed));
        let filter = RunFilter::new().with_parent(case.run.run_id());
        let store = case.harness.store().shared();
        let list = async { store.list(filter).await };
        let handlers = block_in_place(|| Handle::current().block_on(list))
            .unwrap()
            .runs;
        assert_eq!(handlers.len(), 1, "{handlers:?}");
        assert_eq!(&*handlers[0].function_id, "z-failing-handled");
    });
    let report = within_time(LIMIT, "a sweep", swept).await.unwrap();
    assert!(report.writes >= 4, "{report:?}");
}

macro_rules! on {
    ($store:ident, $place:expr $(, $attribute:meta)?) => {
        $(#[$attribute])?
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $store() {
            every_crash($place).await;
        }
    };
}

mod a_handler_is_started_once_whatever_crashes {
    use super::*;

    on!(memory, Memory::new);
    on!(sqlite, SqliteFile::temporary);
    on!(
        postgres,
        InSchema::new,
        cfg_attr(
            not(has_postgres),
            ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
        )
    );
    on!(
        redis,
        UnderPrefix::new,
        cfg_attr(
            not(has_redis),
            ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
        )
    );
}
