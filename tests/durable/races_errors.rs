//! What no arm of a race wins with: mistakes in the code, failures of the store, and losers that panic when they are dropped.

use std::{future::pending, time::Duration};

use belts::{
    ErrorKind, Event, race, sleep, step,
    store::{RunStatus, StepState},
    testing::Harness,
    wait,
};
use serde::{Deserialize, Serialize};

use crate::{
    gated::{Named, effect, effects, named},
    races::winner,
};

/// A key that may be `null`, which is no key.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tag(Option<String>);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "races-tagged", key = tag)]
struct Tagged {
    tag: Tag,
}

#[belts::function(id = "races-for-null", on = Named)]
async fn for_null(event: Named) -> belts::Result<String> {
    race!("decision", {
        tagged = wait!("tagged", Tagged, key = &Tag(None)) => {
            if tagged.is_err() {
                effect(format!("{} handles it", event.name));
            }
            "tagged".to_owned()
        }
        late = sleep!("late", "1h") => { late?; "late".to_owned() }
    })
    .await
}

/// The mistake won the race, and its handler could do with it what it liked.
#[tokio::test]
async fn a_wait_that_cannot_be_fails_the_run_and_wins_no_race() {
    let harness = Harness::builder().function(for_null).build().await.unwrap();
    let run = harness.run(for_null, named("null")).await.unwrap();
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.report();
    assert!(
        text.contains("the key of the wait `decision/tagged/tagged` is `null`"),
        "{text}"
    );
    assert_eq!(run.record().unwrap().failed_attempts, 1);
    assert_eq!(
        (winner(&run, "decision"), effects("null handles it")),
        (None, 0)
    );
}

/// Panics when it is dropped.
struct Falls(String);

impl Drop for Falls {
    fn drop(&mut self) {
        effect(format!("{} falls", self.0));
        panic!("a loser panics");
    }
}

#[belts::function(id = "races-with-a-loser-that-falls", on = Named)]
async fn with_a_fall(event: Named) -> belts::Result<u32> {
    let name = &event.name;
    effect(format!("{name} drives"));
    let quick = race!("decision", {
        never = async {
            let _falls = Falls(name.clone());
            pending::<()>().await;
        } => { let () = never; 0 }
        quick = step!("quick", 7) => quick?,
        paid = wait!("tagged", Tagged, key = &Tag(Some(name.clone()))) => { paid?; 1 }
    })
    .await?;
    step!("after", quick).await
}

/// The drop is the loser's: it took the whole attempt with it.
#[tokio::test]
async fn a_loser_that_panics_when_it_is_dropped_costs_the_run_nothing() {
    let builder = Harness::builder().function(with_a_fall);
    let harness = builder.build().await.unwrap();
    let run = harness.run(with_a_fall, named("falls")).await.unwrap();
    assert_eq!(run.output().unwrap(), 7);
    assert_eq!(run.record().unwrap().failed_attempts, 0);
    assert_eq!((effects("falls falls"), effects("falls drives")), (1, 1));
    let path = "decision/paid/tagged";
    let lost = run.journal().iter().find(|entry| &*entry.path == path);
    assert!(lost.is_none_or(|entry| entry.state == StepState::Completed));
}

/// The store fails in the step at first.
fn score(name: &str) -> belts::Result<u32> {
    effect(format!("{name} scores"));
    if effects(&format!("{name} scores")) > 1 {
        return Ok(3);
    }
    let away = std::io::Error::other("the server is away");
    Err(belts::Error::store("cannot publish", away))
}

#[belts::function(id = "races-with-a-store-that-fails", on = Named)]
async fn with_a_failure(event: Named) -> belts::Result<u32> {
    let name = &event.name;
    race!("decision", {
        score = async { step!("score", score(name)).await } => {
            score.inspect_err(|_| effect(format!("{name} is told")))?
        }
        late = sleep!("late", "1h") => { late?; 9 }
    })
    .await
}

#[tokio::test]
async fn a_store_that_fails_in_a_step_decides_no_race() {
    let builder = Harness::builder().function(with_a_failure);
    let harness = builder.build().await.unwrap();
    let call = harness.run(with_a_failure, named("fails"));
    let run = call.run_id("fails").await.unwrap();
    let run = if run.status() == Some(RunStatus::Completed) {
        run
    } else {
        assert_eq!(winner(&run, "decision"), None);
        harness.travel(Duration::from_secs(60)).await.unwrap();
        harness.runs_of(with_a_failure).await.unwrap().remove(0)
    };
    assert_eq!(run.output().unwrap(), 3);
    assert_eq!((effects("fails scores"), effects("fails is told")), (2, 0));
    assert_eq!(winner(&run, "decision").unwrap(), "score");
}

/// The store fails outside of a step at first, with an error of belts and with one that wraps it.
#[belts::function(id = "races-with-a-store-that-fails-between", on = Named)]
async fn with_a_failure_between(event: Named) -> belts::Result<u32> {
    let name = &event.name;
    let own = race!("own", {
        own = async { score(&format!("{name} own")) } => {
            own.inspect_err(|_| effect(format!("{name} is told")))?
        }
        late = sleep!("late", "1h") => { late?; 9 }
    })
    .await?;
    let any = race!("any", {
        any = async { score(&format!("{name} any")).map_err(anyhow::Error::from) } => {
            any.inspect_err(|_| effect(format!("{name} is told")))?
        }
        late = async { sleep!("late", "1h").await.map_err(|_| "a text") } => { late?; 9 }
    })
    .await?;
    Ok(own + any)
}

#[tokio::test]
async fn a_store_that_fails_in_an_arm_outside_of_a_step_decides_no_race() {
    let builder = Harness::builder().function(with_a_failure_between);
    let harness = builder.build().await.unwrap();
    let call = harness.run(with_a_failure_between, named("between"));
    let run = call.run_id("between").await.unwrap();
    assert_eq!(run.output().unwrap(), 6);
    assert_eq!(run.record().unwrap().failed_attempts, 0);
    assert_eq!(effects("between is told"), 0);
    let winners = ["own", "any"].map(|race| winner(&run, race).unwrap());
    assert_eq!(winners, ["own", "any"]);
}
