//! Families that are rerun, whose time is over, or that have no loop.

use std::time::Duration;

use belts::{
    ErrorKind, RunHandle, Worker, call, sleep, start, step,
    store::{Memory, RunFilter, RunRecord, RunStatus},
    testing::{Harness, ManualClock},
};

use crate::gated::{Named, effect, effects, eventually, gate, looped, named, only, open, within};

mod versions;

const HOUR: Duration = Duration::from_secs(3_600);

/// Fails until the test has mended what it needs.
fn mended(name: &str) -> belts::Result<()> {
    if effects(&format!("{name} mended")) == 0 {
        return Err(belts::terminal("it is broken"));
    }
    Ok(())
}

#[belts::function(id = "z-again-child", on = Named)]
async fn child(event: Named) -> belts::Result<usize> {
    let name = event.name;
    step!("first", effect(format!("{name} first"))).await?;
    step!("second", mended(&name)).await?;
    Ok(name.len())
}

#[belts::function(id = "z-again-parent", on = Named)]
async fn parent(event: Named) -> belts::Result<usize> {
    let name = event.name;
    let other = call!("well", well(named(&name))).await?;
    let length = call!("child", child(named(&name))).await?;
    step!("after", effect(format!("{name} after"))).await?;
    Ok(length + other)
}

#[belts::function(id = "z-again-well", on = Named)]
async fn well(event: Named) -> belts::Result<usize> {
    step!("count", effect(format!("{} well", event.name))).await?;
    Ok(1)
}

/// It handles the failure of its child, and fails by something else.
#[belts::function(id = "z-again-handles", on = Named)]
async fn handles(event: Named) -> belts::Result<usize> {
    let name = event.name;
    let failed = call!("child", child(named(&name))).await.is_err();
    step!("then", mended(&name)).await?;
    Ok(usize::from(failed))
}

#[belts::function(id = "z-again-starts", on = Named)]
async fn starts(event: Named) -> belts::Result<usize> {
    let name = event.name;
    let held: RunHandle<usize> = start!("held", idle(named(&name)), attached).await?;
    let free: RunHandle<usize> = start!("free", child(named(&name))).await?;
    step!("then", mended(&name)).await?;
    Ok(held.result().await? + free.result().await?)
}

#[belts::function(id = "z-again-idle", on = Named)]
async fn idle(event: Named) -> belts::Result<usize> {
    sleep!("long", "2h").await?;
    step!("count", effect(format!("{} idle", event.name))).await?;
    Ok(10)
}

/// Its call has a time limit, and another branch fails.
#[belts::function(id = "z-again-timed", on = Named)]
async fn timed(event: Named) -> belts::Result<usize> {
    let name = event.name;
    let both = tokio::try_join!(
        call!("idle", idle(named(&name)), timeout = "3h"),
        step!("then", mended(&name))
    );
    Ok(both?.0)
}

/// Calls itself until it is too deep.
#[belts::function(id = "z-again-deep", on = Named)]
async fn deep(event: Named) -> belts::Result<usize> {
    call!("deeper", deep(event)).await
}

#[belts::function(id = "z-again-wide", on = Named)]
async fn wide(event: Named) -> belts::Result<usize> {
    let calls = (0..300).map(|n| {
        let name = format!("{}-{n}", event.name);
        call!("child-{n}", well(named(&name)))
    });
    let all = futures_util::future::try_join_all(calls).await?;
    Ok(all.len())
}

/// A wrapper hides what the error is.
#[belts::function(id = "z-again-wraps", on = Named, backoff = "1s..1s")]
async fn wraps(event: Named) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    effect(format!("{} attempts", event.name));
    let called = call!("child", child(event)).await;
    called.map_err(|error| Box::new(std::io::Error::other(error)) as _)
}

async fn harness() -> Harness {
    let builder = Harness::builder().function(child).function(parent);
    let builder = builder.function(well).function(handles).function(starts);
    let builder = builder.function(idle).function(timed);
    let builder = builder.function(deep).function(wide).function(wraps);
    builder.build().await.unwrap()
}

fn mend(name: &str) {
    effect(format!("{name} mended"));
}

async fn below(harness: &Harness, run: &str) -> Vec<RunRecord> {
    let filter = RunFilter::new().with_parent(run);
    harness.store().shared().list(filter).await.unwrap().runs
}

#[tokio::test]
async fn a_rerun_goes_on_with_the_child_that_failed() {
    let harness = harness().await;
    let run = harness
        .run(parent, named("again"))
        .run_id("again")
        .await
        .unwrap();
    assert_eq!(run.output().unwrap_err().kind(), ErrorKind::Child);
    mend("again");
    let run = harness.rerun(parent, "again").await.unwrap();
    assert_eq!(run.output().unwrap(), 6);
    for done in ["again first", "again well", "again after"] {
        assert_eq!(effects(done), 1, "{done}");
    }
    assert_eq!(
        below(&harness, "again").await.len(),
        2,
        "no other child was started"
    );
}

#[tokio::test]
async fn a_rerun_of_the_child_alone_reaches_the_parent_with_its_own_rerun() {
    let harness = harness().await;
    harness
        .run(parent, named("alone"))
        .run_id("alone")
        .await
        .unwrap();
    mend("alone");
    let failed = only(harness.runs_of(child).await);
    let again = harness.rerun(child, failed.run_id()).await.unwrap();
    assert_eq!(again.output().unwrap(), 5);
    let run = harness.rerun(parent, "alone").await.unwrap();
    assert_eq!(run.output().unwrap(), 6);
    assert_eq!(effects("alone first"), 1);
}

/// The child under a step that is done again is another one; that of an earlier step goes on.
#[tokio::test]
async fn a_rerun_from_a_call_starts_that_child_anew() {
    let harness = harness().await;
    harness
        .run(parent, named("anew"))
        .run_id("anew")
        .await
        .unwrap();
    mend("anew");
    let runs = harness.worker().runs();
    assert!(runs.rerun_from("anew", "child").await.unwrap());
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(parent).await);
    assert_eq!(run.output().unwrap(), 5);
    assert_eq!((effects("anew first"), effects("anew well")), (2, 1));
    assert_eq!(below(&harness, "anew").await.len(), 3);
    // The failed one stays; the new one has completed.
    let of_child = harness.runs_of(child).await.unwrap();
    let mut statuses: Vec<_> = of_child
        .iter()
        .map(belts::testing::TestRun::status)
        .collect();
    statuses.sort_by_key(|status| *status == Some(RunStatus::Completed));
    assert_eq!(
        statuses,
        [Some(RunStatus::Failed), Some(RunStatus::Completed)]
    );
}

/// A failure that the function handled is below the step from which the run is done again: one child does it.
#[tokio::test]
async fn a_rerun_from_behind_a_failed_call_goes_on_with_its_child() {
    let harness = harness().await;
    harness
        .run(handles, named("behind"))
        .run_id("behind")
        .await
        .unwrap();
    mend("behind");
    let runs = harness.worker().runs();
    assert!(runs.rerun_from("behind", "then").await.unwrap());
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(handles).await);
    assert_eq!(run.output().unwrap(), 0, "the call does not fail any more");
    let of_child = only(harness.runs_of(child).await);
    assert_eq!(of_child.status(), Some(RunStatus::Completed));
    assert_eq!(effects("behind first"), 1);
}

#[tokio::test]
async fn a_rerun_goes_on_with_what_was_started_and_ended_with_it() {
    let harness = harness().await;
    let run = harness
        .run(starts, named("ends"))
        .run_id("ends")
        .await
        .unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    let held = only(harness.runs_of(idle).await);
    assert_eq!(held.status(), Some(RunStatus::Cancelled));
    harness.settle().await.unwrap();
    mend("ends");
    harness.rerun(starts, "ends").await.unwrap();
    harness.settle().await.unwrap();
    let error = only(harness.runs_of(starts).await).output();
    assert_eq!(
        error.unwrap_err().kind(),
        ErrorKind::Child,
        "what it heard first of `free` is that it failed"
    );
    let run = harness.rerun(starts, "ends").await.unwrap();
    assert_eq!(run.output().unwrap(), 14);
    assert_eq!((effects("ends idle"), effects("ends first")), (1, 1));
}

#[tokio::test]
async fn the_time_of_a_call_begins_anew_with_a_rerun() {
    let harness = harness().await;
    let run = harness
        .run(timed, named("timed"))
        .run_id("timed")
        .await
        .unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    harness.travel(4 * HOUR).await.unwrap();
    mend("timed");
    let run = harness.rerun(timed, "timed").await.unwrap();
    assert_eq!(run.output().unwrap(), 10);
    assert_eq!(effects("timed idle"), 1);
}

#[tokio::test]
async fn a_chain_without_an_end_is_an_error_that_shows_it() {
    let harness = harness().await;
    let run = harness.run(deep, named("deep")).await.unwrap();
    let report = run.output().unwrap_err().report();
    assert!(
        report.contains("more than 64 runs below the first"),
        "{report}"
    );
    assert!(
        report.contains("nearest first: `z-again-deep`, `z-again-deep`,"),
        "{report}"
    );
    assert_eq!(harness.runs_of(deep).await.unwrap().len(), 65);
}

#[tokio::test]
async fn many_children_are_started_and_heard_of() {
    let harness = harness().await;
    let run = harness.run(wide, named("wide")).await.unwrap();
    assert_eq!(run.output().unwrap(), 300);
    assert_eq!(effects("wide-7 well"), 1);
}

#[tokio::test]
async fn a_failed_call_is_not_tried_again_whatever_wraps_it() {
    let harness = harness().await;
    let run = harness.run(wraps, named("wraps")).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    // Once to call, and once to hear of the end.
    assert_eq!(effects("wraps attempts"), 2);
}

#[tokio::test]
async fn calls_are_preset_like_steps() {
    let harness = harness().await;
    harness.preset("child", Ok(40_usize)).unwrap();
    let run = harness.run(parent, named("preset")).await.unwrap();
    assert_eq!(run.output().unwrap(), 41);
    assert_eq!((effects("preset first"), effects("preset after")), (0, 1));
    harness.preset_error("child", "no money");
    let run = harness.run(parent, named("preset-fails")).await.unwrap();
    let error = run.output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Child);
    assert!(error.report().contains("no money"), "{}", error.report());
}

/// On the real clock, where no loop runs, whoever waits for the parent drives its children as well, and is not held up by those that
/// nobody waits for.
#[tokio::test]
async fn without_a_loop_the_children_are_driven_too() {
    #[belts::function(id = "z-again-no-loop", on = Named)]
    async fn no_loop(event: Named) -> belts::Result<usize> {
        let name = event.name;
        let slow: RunHandle<u32> = start!("slow", gated_child(named(&name))).await?;
        let quick = call!("quick", well(named(&name)), timeout = "1h").await?;
        step!("said", effect(format!("{name} said"))).await?;
        slow.result().await?;
        Ok(quick)
    }
    #[belts::function(id = "z-again-gated", on = Named)]
    async fn gated_child(event: Named) -> belts::Result<u32> {
        step!("wait", gate(&event.name)).await?;
        Ok(3)
    }
    let builder = Worker::builder().store(Memory::new()).function(no_loop);
    let worker = builder
        .function(well)
        .function(gated_child)
        .build()
        .await
        .unwrap();
    let called = tokio::spawn({
        let worker = worker.clone();
        async move { no_loop(named("no-loop")).via(&worker).await }
    });
    eventually("the quick one is heard of", async || {
        effects("no-loop said") == 1
    })
    .await;
    open("no-loop");
    let output = within("it ends", called).await.unwrap();
    assert_eq!(output.unwrap(), 1);
}

/// A run that is driven by a clock that only the test moves ends at the time of the call.
#[tokio::test]
async fn a_time_limit_cancels_the_child() {
    #[belts::function(id = "z-again-limit", on = Named)]
    async fn limit(event: Named) -> belts::Result<String> {
        let called = call!("idle", idle(event), timeout = "1h").await;
        Ok(called.unwrap_err().report())
    }
    let clock = ManualClock::default();
    let builder = Worker::builder().store(Memory::new()).clock(clock.clone());
    let worker = builder
        .function(limit)
        .function(idle)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    let run = limit(named("limit")).via(&worker).start().await.unwrap();
    let child = async || {
        let filter = RunFilter::new().with_parent(run.run_id());
        worker.store().list(filter).await.unwrap().runs.pop()
    };
    let sleeps = async || {
        child()
            .await
            .is_some_and(|run| run.status == RunStatus::Suspended)
    };
    eventually("the child sleeps", sleeps).await;
    clock.advance(HOUR);
    let report = within("it ends", run.result()).await.unwrap();
    assert!(
        report.contains("did not end within the call's `timeout`"),
        "{report}"
    );
    assert_eq!(child().await.unwrap().status, RunStatus::Cancelled);
    worker.shutdown();
    running.await.unwrap().unwrap();
}
