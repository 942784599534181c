//! Letting time pass: what comes due is driven, and what does not waits.

use std::time::Duration;

use belts::{
    Event, sleep, step,
    store::{NewEvent, Publish, RunStatus, Target},
    testing::Harness,
};
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
struct TrialBegun {
    customer: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
struct TrialEnded {
    customer: String,
}

#[belts::function(id = "trial", on = TrialBegun)]
async fn trial(begun: TrialBegun) -> belts::Result<()> {
    step!("welcome", ()).await?;
    sleep!("two-weeks", "336h").await?;
    step!("end", end(&begun.customer)).await
}

async fn end(customer: &str) -> belts::Result<()> {
    let customer = customer.to_owned();
    publish_trial_ended(TrialEnded { customer }).await.map(drop)
}

#[belts::function(id = "bill", on = TrialEnded)]
async fn bill(ended: TrialEnded) -> belts::Result<String> {
    step!("bill", format!("a bill for {}", ended.customer)).await
}

fn begun(customer: &str) -> TrialBegun {
    TrialBegun {
        customer: customer.to_owned(),
    }
}

#[tokio::test]
async fn only_what_comes_due_by_then_is_driven() {
    let harness = Harness::new().await.unwrap();
    let start = harness.now();
    harness.publish(begun("Ada")).await.unwrap();
    assert!(harness.runs_of(trial).await.unwrap()[0].steps().is_empty());

    harness.travel(DAY * 13).await.unwrap();
    let runs = harness.runs_of(trial).await.unwrap();
    runs[0].assert_steps(&["welcome", "two-weeks"]);
    assert_eq!(runs[0].status(), Some(RunStatus::Suspended));
    assert_eq!(harness.now().since(start), DAY * 13);

    harness.travel(DAY).await.unwrap();
    harness.runs_of(trial).await.unwrap()[0].assert_completed();
    assert_eq!(harness.now().since(start), DAY * 14);
}

#[tokio::test]
async fn what_follows_from_the_journey_is_driven_too() {
    let harness = Harness::new().await.unwrap();
    harness.publish(begun("Ada")).await.unwrap();
    harness.travel(DAY * 30).await.unwrap();
    let bills = harness.runs_of(bill).await.unwrap();
    assert_eq!(bills[0].output().unwrap(), "a bill for Ada");
    harness.assert_events(&["trial-begun", "trial-ended"]);
    let ended = harness.published::<TrialEnded>().unwrap();
    assert_eq!(ended[0].customer, "Ada");
}

#[tokio::test]
async fn a_delayed_event_starts_nothing_before_its_time() {
    let harness = Harness::new().await.unwrap();
    let later = harness.publish(begun("Ada")).delay(DAY);
    later.await.unwrap();
    let just_before = harness.now().after(DAY).before(Duration::from_millis(1));
    harness.travel_to(just_before).await.unwrap();
    assert!(harness.runs_of(trial).await.unwrap()[0].steps().is_empty());
    harness.travel(Duration::from_millis(1)).await.unwrap();
    let runs = harness.runs_of(trial).await.unwrap();
    runs[0].assert_steps(&["welcome", "two-weeks"]);
}

#[tokio::test]
async fn a_journey_into_the_past_leaves_the_clock_where_it_is() {
    let harness = Harness::new().await.unwrap();
    let now = harness.now();
    harness.travel_to(now.before(DAY)).await.unwrap();
    assert_eq!(harness.now(), now);
}

#[tokio::test]
async fn a_crash_on_the_way_does_not_end_the_journey() {
    let harness = Harness::new().await.unwrap();
    harness.publish(begun("Ada")).await.unwrap();
    harness.faults().crash(belts::testing::Crash::After(2));
    harness.travel(DAY).await.unwrap();
    let runs = harness.runs_of(trial).await.unwrap();
    runs[0].assert_steps(&["welcome", "two-weeks"]);
    harness.travel(DAY * 14).await.unwrap();
    harness.runs_of(trial).await.unwrap()[0].assert_completed();
    harness.assert_events(&["trial-begun", "trial-ended"]);
}

#[tokio::test]
async fn runs_of_a_function_come_in_the_order_of_their_events() {
    let harness = Harness::new().await.unwrap();
    for customer in ["Ada", "Bob", "Cy"] {
        harness.publish(begun(customer)).await.unwrap();
    }
    harness.settle().await.unwrap();
    let bills = harness.runs_of(bill).await.unwrap();
    let bills: Vec<_> = bills.iter().map(|run| run.output().unwrap()).collect();
    assert_eq!(bills, ["a bill for Ada", "a bill for Bob", "a bill for Cy"]);
}

/// A version that takes the event may drive it; this one does not.
#[tokio::test]
async fn a_run_of_an_event_that_its_function_does_not_take_stays_as_it_is() {
    let harness = Harness::new().await.unwrap();
    let now = harness.now();
    let event = NewEvent::new("later", "trial-of-tomorrow", &b"{}"[..], now)
        .with_target(Target::function("trial", Some("later".into())));
    let store = harness.store().shared();
    store.publish(Publish::new(vec![event], now)).await.unwrap();
    harness.publish(begun("Ada")).await.unwrap();
    let journey = async {
        harness.travel(DAY * 30).await.unwrap();
        harness.settle().await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(60), journey)
        .await
        .expect("the journey ends");
    assert_eq!(harness.now(), now.after(DAY * 30));
    let run = store.run("later").await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Pending);
    assert_eq!(harness.runs_of(bill).await.unwrap().len(), 1);
}
