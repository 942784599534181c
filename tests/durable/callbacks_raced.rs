//! The results of callbacks in races: what an arm has lost is there for the next, and what came first has won.

use std::time::Duration;

use belts::{
    Callback, ErrorKind, callback, race, scope, sleep, step, steps,
    store::{RunStatus, StepState},
    testing::Crash,
};

use crate::gated::{Named, effect, harness_of, named, only};

#[steps]
async fn answered(callback: &Callback<u32>) -> belts::Result<u32> {
    callback.result().await
}

#[belts::function(id = "z-callback-races", on = Named)]
async fn races(event: Named) -> belts::Result<String> {
    let number = callback!("number", u32).await?;
    for round in 1..=3 {
        let outcome = race!("round-{round}", {
            number = number.result() => Some(number?),
            late = sleep!("late", "1h") => { late?; None }
        })
        .await?;
        if let Some(won) = outcome {
            let again = scope!("again-{round}", answered(&number)).await?;
            assert_eq!(won, again);
            return Ok(format!("{won} in round {round} for {}", event.name));
        }
    }
    Ok("never".to_owned())
}

/// A round that is lost takes nothing from the next, although the run was suspended and its process gone in between.
#[tokio::test]
async fn a_race_that_is_lost_leaves_the_result_to_the_next() {
    for completed in [1, 2, 3, 4] {
        let harness = harness_of(races).await;
        let run = harness.run(races, named("rounds")).await.unwrap();
        let id = run.callback("number").unwrap();
        for round in 1..=3 {
            if round == completed {
                harness.complete(id.clone(), &round).await.unwrap();
                harness.settle().await.unwrap();
            }
            harness.restart().await.unwrap();
            harness.travel(Duration::from_secs(3_600)).await.unwrap();
        }
        let run = only(harness.runs_of(races).await);
        let expected = match completed {
            4 => "never".to_owned(),
            round => format!("{round} in round {round} for rounds"),
        };
        assert_eq!(run.output().unwrap(), expected);
        let open = run.journal().iter();
        let open = open.filter(|entry| entry.wait.is_some() && entry.state == StepState::Waiting);
        assert_eq!(open.count(), 0);
    }
}
#[belts::function(id = "z-callback-lent", on = Named)]
async fn lent(event: Named) -> belts::Result<String> {
    let number = callback!("number", u32).await?;
    let mut result = std::pin::pin!(number.result());
    let early = race!("first", {
        number = &mut result => Some(number?),
        late = sleep!("late", "1h") => { late?; None }
    })
    .await?;
    if let Some(number) = early {
        return Ok(format!("{number} early"));
    }
    step!("remind", effect(event.name.as_str())).await?;
    // Another asks while the first is held.
    let other = race!("second", {
        number = number.result() => Some(number?),
        late = sleep!("later", "1h") => { late?; None }
    })
    .await?;
    match other {
        Some(number) => Ok(format!("{number} to another")),
        None => Ok(format!("{} in the end", result.await?)),
    }
}

/// The race drops what it was lent, and that goes on outside.
#[tokio::test]
async fn a_result_that_is_lent_to_an_arm_outlives_the_race() {
    for (hours, output) in [(0, "9 early"), (1, "9 to another"), (2, "9 in the end")] {
        for restarts in [false, true] {
            let harness = harness_of(lent).await;
            let name = format!("lent {hours} {restarts}");
            let run = harness.run(lent, named(&name)).await.unwrap();
            let id = run.callback("number").unwrap();
            for _ in 0..hours {
                if restarts {
                    harness.restart().await.unwrap();
                }
                harness.travel(Duration::from_secs(3_600)).await.unwrap();
            }
            harness.complete(id, &9).await.unwrap();
            harness.settle().await.unwrap();
            let run = only(harness.runs_of(lent).await);
            assert_eq!(run.output().unwrap(), output, "{name}");
        }
    }
}

#[belts::function(id = "z-callback-late", on = Named)]
async fn late_or_decided(_: Named) -> belts::Result<Option<u32>> {
    let number = callback!("number", u32).await?;
    race!("decision", {
        late = sleep!("deadline", "1h") => { late?; None }
        decided = number.result() => Some(decided?)
    })
    .await
}

/// A process that dies at any of its writes and comes back when the deadline is long over: what came before it has won.
#[tokio::test]
async fn what_came_before_a_deadline_has_won_after_every_crash() {
    for write in 0..10 {
        let harness = harness_of(late_or_decided).await;
        let run = harness.run(late_or_decided, named("late")).await.unwrap();
        let id = run.callback("number").unwrap();
        harness.complete(id, &3).await.unwrap();
        harness.faults().crash(Crash::After(write));
        harness.settle().await.unwrap();
        harness.restart().await.unwrap();
        harness.travel(Duration::from_secs(7_200)).await.unwrap();
        let run = only(harness.runs_of(late_or_decided).await);
        assert_eq!(run.output().unwrap(), Some(3), "{write}");
        let paths = run.steps();
        assert!(
            paths.contains(&"decision/decided/~number/result"),
            "{paths:?}"
        );
    }
}

#[belts::function(id = "z-callback-arms", on = Named)]
async fn arms(_: Named) -> belts::Result<u32> {
    let approval = callback!("approval", u32).await?;
    race!("decision", {
        outer = approval.result() => outer?,
        inner = async {
            let approval = callback!("approval", u32).await?;
            approval.result().await
        } => inner? + 100
    })
    .await
}

/// The keys of an arm are its own, and what it made is closed when it has lost.
#[tokio::test]
async fn a_callback_of_an_arm_that_has_lost_is_closed() {
    for (path, other, output) in [
        ("approval", "decision/inner/approval", 1),
        ("decision/inner/approval", "approval", 101),
    ] {
        let harness = harness_of(arms).await;
        let run = harness.run(arms, named("arms")).await.unwrap();
        let (id, lost) = (run.callback(path).unwrap(), run.callback(other).unwrap());
        harness.complete(id, &1).await.unwrap();
        harness.settle().await.unwrap();
        let run = only(harness.runs_of(arms).await);
        assert_eq!(run.output().unwrap(), output);
        let closed = harness.complete(lost, &2).await.unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::CallbackClosed);
    }
}

#[belts::function(id = "z-callback-loses", on = Named)]
async fn loses(_: Named) -> belts::Result<()> {
    let asked = race!("decision", {
        person = async {
            let answer = callback!("answer", bool).await?;
            answer.result().await
        } => Some(person?),
        late = sleep!("late", "1h") => { late?; None }
    })
    .await?;
    assert_eq!(asked, None);
    sleep!("pause", "1h").await
}

#[tokio::test]
async fn nobody_completes_what_a_living_run_can_no_longer_ask_for() {
    let harness = harness_of(loses).await;
    let run = harness.run(loses, named("loses")).await.unwrap();
    let id = run.callback("decision/person/answer").unwrap();
    harness.travel(Duration::from_secs(3_600)).await.unwrap();
    let run = only(harness.runs_of(loses).await);
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    let closed = harness.complete(id, &true).await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::CallbackClosed);
}
