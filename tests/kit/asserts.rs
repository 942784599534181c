//! Assertions, and what they say when they fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use belts::{Event, step, testing::Harness};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Packed {}

#[derive(Serialize, Deserialize, Event)]
struct Sent {}

#[belts::function(id = "send-parcel", on = Packed)]
async fn send_parcel(_: Packed) -> belts::Result<()> {
    step!("weigh", 1).await?;
    step!("stamp", 2).await?;
    step!("tell", async { publish_sent(Sent {}).await.map(drop) }).await
}

/// What an assertion panics with.
fn message(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[tokio::test]
async fn other_steps_are_shown_as_a_difference() {
    let harness = Harness::new().await.unwrap();
    let run = harness
        .run(send_parcel, Packed {})
        .run_id("r-1")
        .await
        .unwrap();
    run.assert_steps(&["weigh", "stamp", "tell"]);
    let message = message(|| {
        run.assert_steps(&["weigh", "wrap", "tell"]);
    });
    assert_eq!(
        message,
        "the steps of run `r-1` of `send-parcel` are not as expected:
    weigh
  - wrap   (expected, not recorded)
  + stamp   (recorded, not expected)
    tell
the run is completed"
    );
}

#[tokio::test]
async fn other_events_are_shown_as_a_difference() {
    let harness = Harness::new().await.unwrap();
    harness.publish(Packed {}).await.unwrap();
    harness.settle().await.unwrap();
    harness.assert_events(&["packed", "sent"]);
    assert_eq!(
        message(|| harness.assert_events(&["packed"])),
        "the published events are not as expected:\n    packed\n  + sent   (published, not expected)\n"
    );
}

#[tokio::test]
async fn a_failed_run_says_why_it_is_not_completed() {
    let harness = Harness::new().await.unwrap();
    harness
        .preset::<()>("stamp", Err(belts::terminal("no stamps")))
        .unwrap();
    let run = harness
        .run(send_parcel, Packed {})
        .run_id("r-1")
        .await
        .unwrap();
    run.assert_failed().assert_steps(&["weigh", "stamp"]);
    let message = message(|| {
        run.assert_completed();
    });
    assert!(
        message.starts_with("run `r-1` of `send-parcel` should be completed, but is failed: "),
        "{message}"
    );
    assert!(message.contains("no stamps"), "{message}");
}

#[tokio::test]
async fn a_step_that_was_not_reached_is_named_with_those_that_were() {
    let harness = Harness::new().await.unwrap();
    let run = harness
        .run(send_parcel, Packed {})
        .run_id("r-1")
        .until("weigh");
    run.await.unwrap();
    let missing = harness.store().step_result::<i32>("r-1", "stamp").await;
    assert_eq!(
        missing.unwrap_err().to_string(),
        "run `r-1` has not recorded the step `stamp`; it has recorded weigh"
    );
}
