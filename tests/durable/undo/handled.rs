//! `cancelled = true`: a run that is cancelled starts the functions that handle it, in the write that ends it, and once.

use belts::{
    Failed, call,
    store::{Capacity, Claim, FunctionCapacity, Register, RunFilter, Store as _, Subscription},
    testing::{Faults, sweep},
};
use tokio::{runtime::Handle, task::block_in_place};

use super::*;

everywhere! {
    a_cancel_at_any_point_starts_the_handler
    an_event_that_cancels_starts_the_handler
    a_run_out_of_time_starts_the_handler
    what_is_undone_is_undone_before_the_handler_starts
    a_rerun_that_is_cancelled_starts_the_handler_once_more
    a_child_that_ends_with_its_parent_starts_its_handler
    a_failure_starts_both_kinds_of_handlers
}

#[belts::function(id = "z-heard", on = Named, retries = 0, when = |event| !event.name.contains("refused"))]
async fn heard(event: Named) -> belts::Result<()> {
    let name = &event.name;
    for stage in ["one", "two"] {
        step!("{stage}", done(name, stage)).await?;
        sleep!("after-{stage}", "1h").await?;
    }
    if name.contains("fails") {
        return Err(belts::terminal("out of paper"));
    }
    Ok(())
}

#[belts::function(id = "z-heard-handled", on_failure = heard, cancelled = true)]
async fn hears(failed: Failed<Named>) -> belts::Result<String> {
    let Failed {
        run_id,
        status,
        attempts,
        step,
        ..
    } = &failed;
    step!("say", done(&failed.event.name, "heard")).await?;
    let kind = failed.cause().kind().as_str();
    Ok(format!(
        "{run_id} {status} {attempts} {step:?} {kind}: {}",
        failed.error
    ))
}

#[belts::function(id = "z-heard-failed", on_failure = heard)]
async fn hears_failures(failed: Failed<Named>) -> belts::Result<()> {
    step!("say", done(&failed.event.name, "heard the failure")).await
}

async fn of_heard(place: impl Reopen) -> Harness {
    let builder = Harness::builder().store(place).function(heard);
    let builder = builder.function(hears).function(hears_failures);
    builder.build().await.unwrap()
}

async fn a_cancel_at_any_point_starts_the_handler(place: impl Reopen, at: &str) {
    let harness = of_heard(place).await;
    for (hours, cancelled) in [(0, true), (1, true), (2, true), (3, false)] {
        let name = &format!("{at} heard {hours}");
        let run = heard(named(name)).run_id(&**name).via(&harness.worker());
        run.start().await.unwrap();
        if hours > 0 {
            let half = Duration::from_secs(3600 * hours - 1800);
            harness.travel(half).await.unwrap();
        }
        let runs = harness.worker().runs();
        assert_eq!(runs.cancel(name).await.unwrap(), cancelled, "{hours}");
        if cancelled {
            let status = runs.get(name).await.unwrap().status;
            assert_eq!(status, RunStatus::Undoing);
            assert!(!runs.cancel(name).await.unwrap(), "{hours}");
        }
        harness.travel(DAY).await.unwrap();
        let begun = usize::try_from(hours.min(2)).unwrap();
        let mut expected = ["one", "two"][..begun].to_vec();
        expected.extend(cancelled.then_some("heard"));
        assert_eq!(done_for(name), expected, "{hours}");
        let record = harness.store().run(name).await.unwrap();
        let end = if cancelled {
            RunStatus::Cancelled
        } else {
            RunStatus::Completed
        };
        assert_eq!(record.status, end, "{hours}");
        // What the store keeps for itself is no step.
        let run = harness
            .run(heard, named(name))
            .run_id(&**name)
            .await
            .unwrap();
        let steps = ["one", "after-one", "two", "after-two"];
        run.assert_steps(&steps[..2 * begun]);
    }
    let said: Vec<String> = outputs(&harness).await;
    assert_eq!(said.len(), 3);
    let first = format!("{at} heard 0 cancelled 0 None cancelled: the run was cancelled");
    assert!(said.contains(&first), "{said:?}");
    // The filter would have refused it, so it never was one of the function's.
    let name = format!("{at} refused");
    let run = heard(named(&name)).run_id(&*name).via(&harness.worker());
    run.start().await.unwrap();
    harness.worker().runs().cancel(&name).await.unwrap();
    harness.settle().await.unwrap();
    assert_done(&name, &[]);
    let status = harness.store().run(&name).await.unwrap().status;
    assert_eq!(status, RunStatus::Cancelled);
}

async fn outputs(harness: &Harness) -> Vec<String> {
    let runs = harness.runs_of(hears).await.unwrap();
    runs.iter().map(|run| run.output().unwrap()).collect()
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-heard-opened", key = name)]
struct Opened {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-heard-closed", key = name)]
struct Closed {
    name: String,
}

#[belts::function(id = "z-heard-closable", on = Opened, cancel_on = Closed, start_within = "1h", finish_within = "48h")]
async fn closable(event: Opened) -> belts::Result<()> {
    step!("flight", reserve(&event.name, "flight"), undo = release).await?;
    sleep!("stay", "336h").await
}

#[belts::function(id = "z-heard-closed-handled", on_failure = closable, cancelled = true)]
async fn hears_closed(failed: Failed<Opened>) -> belts::Result<String> {
    step!("say", done(&failed.event.name, "heard")).await?;
    Ok(failed.error)
}

async fn of_closable(place: impl Reopen) -> Harness {
    let builder = Harness::builder().store(place).function(closable);
    builder.function(hears_closed).build().await.unwrap()
}

async fn an_event_that_cancels_starts_the_handler(place: impl Reopen, at: &str) {
    let harness = of_closable(place).await;
    let name = format!("{at} closed");
    harness
        .publish(Opened { name: name.clone() })
        .await
        .unwrap();
    harness.travel(Duration::from_secs(60)).await.unwrap();
    harness
        .publish(Closed { name: name.clone() })
        .await
        .unwrap();
    harness.settle().await.unwrap();
    assert_done(&name, &["flight", "-flight", "heard"]);
    let handler = only(harness.runs_of(hears_closed).await);
    let said = handler.output().unwrap();
    assert!(
        said.contains("cancelled by event `z-heard-closed`"),
        "{said}"
    );
}

async fn a_run_out_of_time_starts_the_handler(place: impl Reopen, at: &str) {
    let harness = of_closable(place).await;
    for (name, expected) in [
        (format!("{at} unstarted"), "it had not started within 1h"),
        (format!("{at} unfinished"), "it had not finished within 2d"),
    ] {
        let starts = name.contains("unfinished");
        let pauses = harness.worker();
        if !starts {
            pauses.functions().pause("z-heard-closable").await.unwrap();
        }
        harness
            .publish(Opened { name: name.clone() })
            .await
            .unwrap();
        harness.settle().await.unwrap();
        harness.travel(DAY * 3).await.unwrap();
        if !starts {
            // Nobody goes on with it before the function is resumed.
            pauses.functions().resume("z-heard-closable").await.unwrap();
            harness.settle().await.unwrap();
        }
        let flight: &[&str] = if starts { &["flight", "-flight"] } else { &[] };
        assert_done(&name, &[flight, &["heard"]].concat());
        let handlers = harness.runs_of(hears_closed).await.unwrap();
        let said = handlers.iter().map(|run| run.output().unwrap());
        assert_eq!(
            said.filter(|said| said.contains(expected)).count(),
            1,
            "{expected}"
        );
    }
}

async fn what_is_undone_is_undone_before_the_handler_starts(place: impl Reopen, at: &str) {
    let harness = of_closable(place).await;
    let name = format!("{at} undone");
    let run = harness.run(closable, Opened { name: name.clone() });
    run.run_id(&*name).until("flight").await.unwrap();
    let runs = harness.worker().runs();
    assert!(runs.cancel(&name).await.unwrap());
    harness.settle().await.unwrap();
    assert_done(&name, &["flight", "-flight", "heard"]);
    let handler = only(harness.runs_of(hears_closed).await);
    assert_eq!(handler.output().unwrap(), "the run was cancelled");
}

async fn a_rerun_that_is_cancelled_starts_the_handler_once_more(place: impl Reopen, at: &str) {
    let harness = of_heard(place).await;
    let name = &format!("{at} heard again");
    heard(named(name))
        .run_id(&**name)
        .via(&harness.worker())
        .start()
        .await
        .unwrap();
    let runs = harness.worker().runs();
    for times in 1..=2 {
        assert!(runs.cancel(name).await.unwrap());
        harness.settle().await.unwrap();
        assert_eq!(harness.runs_of(hears).await.unwrap().len(), times);
        assert!(runs.rerun(name).await.unwrap());
        harness.travel(Duration::from_secs(1)).await.unwrap();
    }
    harness.travel(DAY).await.unwrap();
    assert_done(name, &["heard", "one", "heard", "two"]);
    let record = harness.store().run(name).await.unwrap();
    assert_eq!(record.status, RunStatus::Completed);
}

#[belts::function(id = "z-heard-parent", on = Named)]
async fn parent(event: Named) -> belts::Result<()> {
    call!("child", heard(event)).await
}

async fn a_child_that_ends_with_its_parent_starts_its_handler(place: impl Reopen, at: &str) {
    let builder = Harness::builder().store(place).function(heard);
    let builder = builder.function(hears).function(parent);
    let harness = builder.build().await.unwrap();
    let name = &format!("{at} family");
    parent(named(name))
        .run_id(&**name)
        .via(&harness.worker())
        .start()
        .await
        .unwrap();
    harness.travel(Duration::from_secs(60)).await.unwrap();
    assert!(harness.worker().runs().cancel(name).await.unwrap());
    harness.settle().await.unwrap();
    assert_done(name, &["one", "heard"]);
    only(harness.runs_of(hears).await);
    let child = only(harness.runs_of(heard).await);
    assert_eq!(child.status(), Some(RunStatus::Cancelled));
}

async fn a_failure_starts_both_kinds_of_handlers(place: impl Reopen, at: &str) {
    let harness = of_heard(place).await;
    let name = &format!("{at} heard fails");
    harness.publish(named(name)).await.unwrap();
    harness.travel(DAY).await.unwrap();
    let mut done = done_for(name);
    done.sort();
    assert_eq!(done, ["heard", "heard the failure", "one", "two"]);
    let said = outputs(&harness).await;
    assert!(
        said[0].contains("failed 1 None terminal: terminal error: out of paper"),
        "{said:?}"
    );
}

/// The runs of handlers are too large to be written.
#[tokio::test]
async fn a_cancelled_run_whose_handlers_cannot_be_written_ends_without_them() {
    let (clock, memory) = (belts::testing::ManualClock::default(), Memory::new());
    let faults = Faults::new(std::sync::Arc::new(memory));
    let builder = belts::Worker::builder().shared_store(std::sync::Arc::new(faults.clone()));
    let builder = builder.clock(clock.clone()).function(heard).function(hears);
    let worker = builder.build().await.unwrap();
    let running = crate::gated::looped(&worker);
    faults.fail_commits_over(10_000);
    let name = "x".repeat(20_000);
    heard(named(&name))
        .run_id("too-large")
        .delay(DAY)
        .via(&worker)
        .start()
        .await
        .unwrap();
    let runs = worker.runs();
    assert!(runs.cancel("too-large").await.unwrap());
    crate::gated::eventually("the end", async || {
        clock.advance(Duration::from_millis(500));
        runs.get("too-large").await.unwrap().status == RunStatus::Cancelled
    })
    .await;
    assert_eq!(runs.list().await.unwrap().runs.len(), 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// Processes die over a run that is only to be ended: it was put off for ever.
#[tokio::test]
async fn a_cancelled_run_over_which_processes_die_ends_with_its_handler() {
    let (store, clock) = (Memory::new(), belts::testing::ManualClock::default());
    let builder = belts::Worker::builder().store(store.clone());
    let builder = builder.clock(clock.clone()).function(heard).function(hears);
    let worker = builder.build().await.unwrap();
    let name = "m heard deadly";
    let run = heard(named(name)).run_id(name).via(&worker);
    run.start().await.unwrap();
    let runs = worker.runs();
    assert!(runs.cancel(name).await.unwrap());
    for _ in 0..50 {
        let register = Register::new(clock.now(), Duration::from_secs(30))
            .with_name("it dies")
            .with_subscriptions(vec![Subscription::new("z-heard", ["named"])])
            .with_cancel_handled(vec!["z-heard".into()]);
        let session = store.register(register).await.unwrap();
        let capacity = Capacity::new(session, 1, [FunctionCapacity::new("z-heard", 1)]);
        store
            .claim(Claim::new(capacity, clock.now()))
            .await
            .unwrap();
    }
    clock.advance(DAY);
    let running = crate::gated::looped(&worker);
    crate::gated::eventually("the end", async || {
        clock.advance(Duration::from_millis(500));
        runs.get(name).await.unwrap().status == RunStatus::Cancelled
    })
    .await;
    crate::gated::eventually("the handler", async || done_for(name) == ["heard"]).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// Another process cancels it while a step of it runs.
#[tokio::test]
async fn a_run_that_another_worker_cancels_starts_the_handler_once() {
    let (store, clock) = (Memory::new(), belts::testing::ManualClock::default());
    let worker = async || {
        let builder = belts::Worker::builder()
            .store(store.clone())
            .clock(clock.clone());
        let builder = builder.function(gated).function(gate_handled);
        builder.build().await.unwrap()
    };
    let (one, two) = (worker().await, worker().await);
    let name = "m heard gated";
    gated(named(name))
        .run_id(name)
        .via(&one)
        .start()
        .await
        .unwrap();
    let loops = [crate::gated::looped(&one), crate::gated::looped(&two)];
    crate::gated::eventually("the step", async || done_for(name).len() == 1).await;
    assert!(two.runs().cancel(name).await.unwrap());
    crate::gated::eventually("the handler", async || {
        clock.advance(Duration::from_millis(500));
        done_for(name).len() == 2
    })
    .await;
    crate::gated::open(name);
    let run = two.runs().get(name).await.unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    assert_done(name, &["hotel", "heard"]);
    for worker in [&one, &two] {
        worker.shutdown();
    }
    for end in loops {
        end.await.unwrap().unwrap();
    }
    assert_done(name, &["hotel", "heard"]);
}

#[belts::function(id = "z-heard-gated", on = Named)]
async fn gated(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("hotel", async {
        done(name, "hotel");
        crate::gated::gate(name).await;
    })
    .await
}

#[belts::function(id = "z-heard-gated-handled", on_failure = gated, cancelled = true)]
async fn gate_handled(failed: Failed<Named>) -> belts::Result<()> {
    step!("say", done(&failed.event.name, "heard")).await
}

/// It cancels itself: the event that does is there before it begins.
async fn every_crash<P: Reopen>(place: fn() -> P) {
    let swept = sweep(place).function(closable);
    let swept = swept.event(Opened {
        name: "swept".into(),
    });
    let swept = swept.harness(|builder| builder.function(closable).function(hears_closed));
    let swept = swept.check(|case| {
        assert_eq!(
            case.run.status(),
            Some(RunStatus::Cancelled),
            "{:?}",
            case.crash
        );
        let filter = RunFilter::new().with_parent(case.run.run_id());
        let store = case.harness.store().shared();
        let list = async { store.list(filter).await };
        let handlers = block_in_place(|| Handle::current().block_on(list));
        let handlers = handlers.unwrap().runs;
        assert_eq!(handlers.len(), 1, "{:?}: {handlers:?}", case.crash);
    });
    let report = within_time(LIMIT * 3, "a sweep", swept).await.unwrap();
    assert!(report.writes >= 4, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_crashes_the_handler_starts_once_in_memory() {
    every_crash(Memory::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_crashes_the_handler_starts_once_on_sqlite() {
    every_crash(SqliteFile::temporary).await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_crashes_the_handler_starts_once_on_postgres() {
    every_crash(InSchema::new).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_crashes_the_handler_starts_once_on_redis() {
    every_crash(UnderPrefix::new).await;
}
