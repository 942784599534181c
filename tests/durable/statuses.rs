//! The status of a run: the last one counts, however often the run comes again.

use belts::{
    Context, race, sleep, step,
    store::{RunStatus, StepKind},
    terminal,
    testing::{Crash, TestRun},
};
use tokio::try_join;

use crate::{
    gated::{Named, effect, effects, gate, named, only, open},
    progress::{HOUR, begun, harness_of},
};

#[belts::function(id = "z-progress-shows", on = Named, max_steps = 4)]
async fn shows(event: Named, cx: Context) -> belts::Result<()> {
    cx.set_status("one").await?;
    step!("pack", {
        cx.set_status("one, in a step").await?;
        Ok::<_, belts::Error>(())
    })
    .await?;
    sleep!("night", "1h").await?;
    cx.set_status(&2).await?;
    cx.set_status("two").await?;
    cx.set_status("two").await?;
    sleep!("day", "1h").await?;
    step!("ship", effect(format!("{} ships", event.name))).await?;
    cx.set_status("three").await
}

/// What a replay sets again changes nothing, also not for a moment: the entry stays as it was written first.
#[tokio::test]
async fn a_replay_shows_no_earlier_status() {
    let harness = harness_of("shows", shows).await;
    let id = begun(&harness, named("shows")).await;
    let status = async || {
        let value = harness.store().status_value::<String>(&id).await;
        value.unwrap()
    };
    assert_eq!(status().await.as_deref(), Some("one, in a step"));
    harness.travel(HOUR).await.unwrap();
    assert_eq!(status().await.as_deref(), Some("two"));
    harness.restart().await.unwrap();
    harness.faults().crash(Crash::Before(2));
    harness.travel(HOUR).await.unwrap();
    let run = only(harness.runs_of(shows).await);
    run.assert_steps(&["pack", "night", "day", "ship"]);
    assert_eq!(status().await.as_deref(), Some("three"));
    let is_status = |kind| kind == StepKind::Status;
    let kept = run.journal().iter().filter(|entry| is_status(entry.kind));
    assert_eq!(kept.count(), 1);
}

#[belts::function(id = "z-progress-pauses", on = Named)]
async fn pauses(event: Named, cx: Context) -> belts::Result<()> {
    cx.set_status("first").await?;
    cx.set_status("second").await?;
    for round in 0..3 {
        sleep!("night-{round}", "1h").await?;
        effect(format!("{} rounds", event.name));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_there_already_is_not_written() {
    let harness = harness_of("pauses", pauses).await;
    begun(&harness, named("pauses")).await;
    let run = only(harness.runs_of(pauses).await);
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    let written = |run: &TestRun<()>| {
        let mut entries = run.journal().iter();
        let status = entries.find(|entry| entry.kind == StepKind::Status);
        status.unwrap().clone()
    };
    let first = written(&run);
    assert_eq!(first.output().unwrap().get(), "\"second\"");
    harness.travel(3 * HOUR).await.unwrap();
    let run = only(harness.runs_of(pauses).await);
    run.assert_completed();
    assert_eq!(written(&run), first);
}

#[belts::function(id = "z-progress-races", on = Named)]
async fn races(event: Named, cx: Context) -> belts::Result<String> {
    cx.set_status("begins").await?;
    let slow = async || {
        cx.heartbeat("half").await?;
        Err::<(), _>(anyhow::anyhow!("not yet"))
    };
    let won = race!("answer", {
        slow = async {
            cx.set_status("slow tries").await?;
            cx.set_status("slow tries harder").await?;
            step!("slow", slow(), backoff = "2h..2h").await
        } => { slow?; "slow" }
        late = sleep!("late", "1h") => { late?; "late" }
    })
    .await?;
    sleep!("night", "1h").await?;
    cx.set_status(&format!("{won} for {}", event.name)).await?;
    Ok(won.to_owned())
}

/// The arm that has lost is not replayed, so its settings must not be counted among those of the function.
#[tokio::test]
async fn an_arm_that_has_lost_hides_no_later_status() {
    let harness = harness_of("races", races).await;
    begun(&harness, named("races")).await;
    harness.travel(HOUR).await.unwrap();
    harness.restart().await.unwrap();
    harness.travel(HOUR).await.unwrap();
    let run = only(harness.runs_of(races).await);
    assert_eq!(run.output().unwrap(), "late");
    let status = run.status_value::<String>().unwrap();
    assert_eq!(status.as_deref(), Some("late for races"));
    // Its step was begun, as its heartbeat says, and is left.
    let slow = run.progress::<String>("answer/slow/slow").unwrap();
    assert_eq!(slow.as_deref(), Some("half"));
}

#[belts::function(id = "z-st-branches", on = Named)]
async fn branches(event: Named, cx: Context) -> belts::Result<usize> {
    let slow = async {
        sleep!("slow", "2h").await?;
        cx.set_status("slow done").await
    };
    let fast = async {
        sleep!("fast", "1h").await?;
        cx.set_status("fast done").await
    };
    try_join!(slow, fast)?;
    sleep!("night", "1h").await?;
    sleep!("day", "1h").await?;
    Ok(event.name.len())
}

/// On a replay the branch that is polled first sets its status first, whichever was first when it happened.
#[tokio::test]
async fn a_replay_of_branches_shows_no_earlier_status() {
    let harness = harness_of("branches", branches).await;
    let id = begun(&harness, named("branches")).await;
    let mut shown = Vec::new();
    for _ in 0..4 {
        harness.travel(HOUR).await.unwrap();
        harness.restart().await.unwrap();
        let value = harness.store().status_value::<String>(&id).await.unwrap();
        shown.push(value.unwrap());
    }
    assert_eq!(shown, ["fast done", "slow done", "slow done", "slow done"]);
    only(harness.runs_of(branches).await).assert_completed();
}

#[belts::function(id = "z-st-steps", on = Named)]
async fn branches_of_steps(event: Named, cx: Context) -> belts::Result<usize> {
    let name = &event.name;
    let slow = async {
        step!("slow", gate(name)).await?;
        cx.set_status("slow done").await
    };
    let fast = async {
        step!("fast", name.len()).await?;
        cx.set_status("fast done").await?;
        open(name);
        Ok(())
    };
    try_join!(slow, fast)?;
    sleep!("night", "1h").await?;
    Ok(name.len())
}

#[tokio::test]
async fn steps_in_branches_show_no_earlier_status_on_a_replay() {
    let harness = harness_of("steps", branches_of_steps).await;
    begun(&harness, named("st steps")).await;
    harness.travel(HOUR).await.unwrap();
    let run = only(harness.runs_of(branches_of_steps).await);
    run.assert_completed();
    let status = run.status_value::<String>().unwrap();
    assert_eq!(status.as_deref(), Some("slow done"));
}

#[belts::function(id = "z-st-varies", on = Named)]
async fn varies(event: Named, cx: Context) -> belts::Result<()> {
    let name = &event.name;
    effect(name.as_str());
    cx.set_status(&("begun", effects(name))).await?;
    sleep!("night", "1h").await?;
    cx.set_status("awake").await?;
    sleep!("day", "1h").await?;
    cx.set_status(&("ends", effects(name))).await?;
    sleep!("evening", "1h").await?;
    sleep!("second night", "1h").await
}

/// A value with a time in it, say, is another one in each replay.
#[tokio::test]
async fn a_status_that_varies_is_not_set_again() {
    let harness = harness_of("varies", varies).await;
    let id = begun(&harness, named("st varies")).await;
    let mut shown = Vec::new();
    for _ in 0..4 {
        let journal = harness.worker().runs().journal(&id).await.unwrap();
        let is_status = |kind| kind == StepKind::Status;
        let status = journal.iter().find(|entry| is_status(entry.kind));
        shown.push(status.unwrap().output().unwrap().get().to_owned());
        harness.travel(HOUR).await.unwrap();
    }
    let ends = r#"["ends",3]"#;
    assert_eq!(shown, [r#"["begun",1]"#, r#""awake""#, ends, ends]);
}

#[belts::function(id = "z-st-refunds", on = Named, retries = 0)]
async fn refunds(event: Named, cx: Context) -> belts::Result<()> {
    let name = &event.name;
    cx.set_status("charging").await?;
    let charge = async || {
        effect(name.as_str());
        match effects(name) {
            1 => Err(terminal("declined").into()),
            2 => Err(anyhow::anyhow!("not yet")),
            _ => Ok(()),
        }
    };
    let charged = step!("charge", charge(), backoff = "1h..1h").await;
    if charged.is_err() {
        cx.set_status("refunding").await?;
        step!("refund", effect(format!("{name} refunds"))).await?;
        cx.set_status("charging").await?;
        if !name.ends_with("again") {
            cx.set_status("failed").await?;
        }
        return Err(terminal("not charged"));
    }
    cx.set_status("charged").await?;
    sleep!("night", "1h").await
}

async fn rerun_after_a_refund(name: &str) {
    let harness = harness_of(name, refunds).await;
    let run = harness.run(refunds, named(name)).run_id("r");
    run.await.unwrap().assert_failed();
    assert!(harness.worker().runs().rerun("r").await.unwrap());
    harness.travel(HOUR / 2).await.unwrap();
    let shown = async || {
        let value = harness.store().status_value::<String>("r").await;
        value.unwrap().unwrap()
    };
    assert_eq!(shown().await, "charging");
    harness.restart().await.unwrap();
    harness.travel(HOUR).await.unwrap();
    assert_eq!(effects(name), 3);
    assert_eq!(shown().await, "charged");
    harness.travel(HOUR).await.unwrap();
    only(harness.runs_of(refunds).await).assert_completed();
}

/// What was recorded behind the step hid that its failure was dropped.
#[tokio::test]
async fn a_rerun_shows_the_status_of_what_it_does_again() {
    rerun_after_a_refund("st refunds").await;
}

/// What is there already was not written, and so the settings of the failed attempt stayed known.
#[tokio::test]
async fn a_rerun_that_begins_with_the_status_that_is_there_begins_anew() {
    rerun_after_a_refund("st refunds again").await;
}
