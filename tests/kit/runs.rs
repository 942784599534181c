//! Runs one by one: run again without the others, and stopped at a step.

use belts::{ErrorKind, Event, sleep, step, store::RunStatus, testing::Harness};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "runs-ordered")]
struct Ordered {}

#[belts::function(id = "runs-charge", on = Ordered)]
async fn charge(_: Ordered) -> belts::Result<u32> {
    step!("weigh", 1).await?;
    sleep!("rest", "1h").await?;
    step!("charge", Err::<u32, _>("no money"), retries = 0).await
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "runs-shipped")]
struct Shipped {}

#[belts::function(id = "runs-ship", on = Shipped)]
async fn ship(_: Shipped) -> belts::Result<u32> {
    sleep!("drive", "24h").await?;
    step!("hand-over", 2).await
}

/// Every run in the store was driven with it, and the clock moved as they needed.
#[tokio::test]
async fn a_rerun_drives_no_other_run() {
    let harness = Harness::new().await.unwrap();
    let run = harness.run(charge, Ordered {}).run_id("r-1").await.unwrap();
    run.assert_failed();
    harness.publish(Shipped {}).await.unwrap();
    harness.preset("charge", Ok(7)).unwrap();
    let start = harness.now();

    let run = harness.rerun(charge, "r-1").await.unwrap();

    assert_eq!(run.output().unwrap(), 7);
    assert_eq!(run.evaluations("weigh"), 1);
    assert_eq!(harness.now(), start);
    let other = &harness.runs_of(ship).await.unwrap()[0];
    assert_eq!(other.status(), Some(RunStatus::Pending));
    assert!(other.steps().is_empty());
}

/// It was driven first, and then a `debug_assert` panicked.
#[tokio::test]
async fn a_rerun_of_another_function_is_an_error_and_drives_nothing() {
    let harness = Harness::new().await.unwrap();
    let run = harness.run(charge, Ordered {}).run_id("r-1").await.unwrap();
    run.assert_failed();
    let error = harness.rerun(ship, "r-1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownRun);
    assert_eq!(
        error.to_string(),
        "run `r-1` belongs to `runs-charge`, not to `runs-ship`"
    );
    let run = &harness.runs_of(charge).await.unwrap()[0];
    run.assert_failed();
    assert_eq!(run.evaluations("charge"), 1);
}

#[tokio::test]
async fn a_rerun_survives_a_crash() {
    let harness = Harness::new().await.unwrap();
    harness.run(charge, Ordered {}).run_id("r-1").await.unwrap();
    harness.preset("charge", Ok(7)).unwrap();
    harness.faults().crash(belts::testing::Crash::After(2));
    let run = harness.rerun(charge, "r-1").await.unwrap();
    assert_eq!(run.output().unwrap(), 7);
}

/// A path that does not exist let the run go on to its end, and nobody said a word.
#[tokio::test]
async fn to_stop_at_a_step_that_is_not_there_is_an_error_that_names_those_that_are() {
    let harness = Harness::new().await.unwrap();
    let error = harness
        .run(ship, Shipped {})
        .run_id("r-1")
        .until("handover")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "run `r-1` should have stopped at the step `handover`, but has not recorded it: its steps are: drive, hand-over; \
         the run is completed"
    );
}

#[tokio::test]
async fn to_stop_at_a_sleep_is_an_error_that_says_so() {
    let harness = Harness::new().await.unwrap();
    let run = harness.run(ship, Shipped {}).until("drive");
    let error = run.await.unwrap_err();
    assert!(error.to_string().contains("that is a sleep"), "{error}");
}

#[tokio::test]
async fn to_stop_at_a_step_before_which_the_run_fails_tells_the_failure() {
    let harness = Harness::new().await.unwrap();
    let run = harness.run(charge, Ordered {}).until("receipt");
    let error = run.await.unwrap_err();
    assert!(error.to_string().contains("no money"), "{error}");
}
