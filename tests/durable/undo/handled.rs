//! `cancelled = true`: a run that is cancelled starts the functions that handle it, in the write that ends it, and once.

use belts::{Failed, call};

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
pub(super) async fn heard(event: Named) -> belts::Result<()> {
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
pub(super) async fn hears(failed: Failed<Named>) -> belts::Result<String> {
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
pub(super) struct Opened {
    pub(super) name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-heard-closed", key = name)]
struct Closed {
    name: String,
}

#[belts::function(id = "z-heard-closable", on = Opened, cancel_on = Closed, start_within = "1h", finish_within = "48h")]
pub(super) async fn closable(event: Opened) -> belts::Result<()> {
    step!("flight", reserve(&event.name, "flight"), undo = release).await?;
    sleep!("stay", "336h").await
}

#[belts::function(id = "z-heard-closed-handled", on_failure = closable, cancelled = true)]
pub(super) async fn hears_closed(failed: Failed<Opened>) -> belts::Result<String> {
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
