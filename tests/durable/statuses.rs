//! The status of a run: the last one counts, however often the run comes again.

use belts::{
    Context, race, sleep, step,
    store::{RunStatus, StepKind},
    testing::{Crash, TestRun},
};

use crate::{
    gated::{Named, effect, named, only},
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
