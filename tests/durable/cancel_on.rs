//! `cancel_on`: an event with the key of the one that started a run cancels it, wherever the run is.

use std::time::Duration;

use belts::{
    ErrorKind, Event, callback, sleep, step,
    store::{Memory, RunStatus},
    testing::{Harness, Reopen, SqliteFile, TestRun},
    wait,
};
use serde::{Deserialize, Serialize};

use crate::{
    gated::{effect, effects, only, within_time},
    places::{InSchema, UnderPrefix},
};

mod crashes;
mod driven;
mod journals;

/// A server takes a while to open a store.
const LIMIT: Duration = Duration::from_secs(90);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-cancel-begun", key = customer)]
struct Begun {
    customer: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-cancel-left", key = who)]
struct Left {
    who: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-cancel-paid", key = customer)]
struct Paid {
    customer: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-cancel-died", key = customer)]
struct Died {
    customer: String,
}

#[derive(Debug, Event)]
enum Gone {
    Left(Left),
    Died(Died),
}

fn begun(customer: &str) -> Begun {
    let customer = customer.to_owned();
    Begun { customer }
}

fn left(who: &str) -> Left {
    let who = Some(who.to_owned());
    Left { who }
}

#[belts::function(id = "z-cxl-trial", on = Begun, cancel_on = Left)]
async fn trial(begun: Begun) -> belts::Result<u32> {
    let name = &begun.customer;
    step!("welcome", effect(format!("{name} welcome"))).await?;
    sleep!("two-weeks", "336h").await?;
    step!("remind", effect(format!("{name} remind"))).await?;
    Ok(7)
}

#[belts::function(id = "z-cxl-payer", on = Begun, cancel_on = Gone)]
async fn payer(begun: Begun) -> belts::Result<()> {
    let name = &begun.customer;
    step!("ask", effect(format!("{name} ask"))).await?;
    wait!("paid", Paid, key = name).await?;
    step!("thank", effect(format!("{name} thank"))).await
}

#[belts::function(id = "z-cxl-asker", on = Begun, cancel_on = [Left, Died])]
async fn asker(begun: Begun) -> belts::Result<bool> {
    let agreed = callback!("agreed", bool).await?.result().await?;
    step!("sign", effect(format!("{} sign", begun.customer))).await?;
    Ok(agreed)
}

/// Makes a module of a test for each store.
macro_rules! everywhere {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn on_memory() {
                within_time(LIMIT, "the test", super::$name(Memory::new(), "m")).await;
            }

            #[tokio::test]
            async fn on_sqlite() {
                within_time(LIMIT, "the test", super::$name(SqliteFile::temporary(), "s")).await;
            }

            #[cfg_attr(
                not(has_postgres),
                ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
            )]
            #[tokio::test]
            async fn on_postgres() {
                within_time(LIMIT, "the test", super::$name(InSchema::new(), "p")).await;
            }

            #[cfg_attr(
                not(has_redis),
                ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
            )]
            #[tokio::test]
            async fn on_redis() {
                within_time(LIMIT, "the test", super::$name(UnderPrefix::new(), "r")).await;
            }
        }
    )*};
}
use everywhere;

everywhere! {
    an_event_before_the_first_drive_cancels_before_any_step
    an_event_cancels_a_run_that_sleeps
    an_event_cancels_a_run_that_waits
    an_event_cancels_a_run_that_waits_for_a_callback
    other_keys_and_types_cancel_nothing
    a_delayed_event_cancels_at_its_time
    a_rerun_looks_behind_what_cancelled_the_run
}

async fn harness<P: Reopen>(place: P) -> Harness {
    let builder = Harness::builder().store(place).function(trial);
    let builder = builder.function(payer).function(asker);
    builder.build().await.unwrap()
}

/// Asserts that a run was cancelled by an event of this type, which its record names.
#[track_caller]
fn assert_cancelled<T: std::fmt::Debug + serde::de::DeserializeOwned>(
    run: &TestRun<T>,
    event_type: &str,
) {
    assert_eq!(run.status(), Some(RunStatus::Cancelled));
    let error = run.output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let text = error.to_string();
    let begin = format!("cancelled by event `{event_type}` (id ");
    assert!(text.starts_with(&begin), "{text}");
}

async fn an_event_before_the_first_drive_cancels_before_any_step(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} early");
    // Of an earlier life of the customer: the run began later.
    harness.publish(left(&name)).await.unwrap();
    harness.publish(begun(&name)).await.unwrap();
    harness.publish(left(&name)).await.unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(trial).await);
    assert_cancelled(&run, "z-cancel-left");
    run.assert_steps(&[]);
    assert_eq!(run.evaluations("welcome"), 0);
    assert_cancelled(&only(harness.runs_of(payer).await), "z-cancel-left");
    assert_cancelled(&only(harness.runs_of(asker).await), "z-cancel-left");
    for what in ["welcome", "ask", "sign"] {
        assert_eq!(effects(&format!("{name} {what}")), 0, "{what}");
    }
}

async fn an_event_cancels_a_run_that_sleeps(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} sleeps");
    // It came before the event that starts the run.
    harness.publish(left(&name)).await.unwrap();
    harness.publish(begun(&name)).await.unwrap();
    harness.travel(DAY).await.unwrap();
    only(harness.runs_of(trial).await).assert_steps(&["welcome", "two-weeks"]);
    harness.publish(left(&name)).await.unwrap();
    harness.travel(DAY).await.unwrap();
    let run = only(harness.runs_of(trial).await);
    assert_cancelled(&run, "z-cancel-left");
    let ended = run.record().unwrap().finished_at.unwrap();
    assert_eq!(ended.since(run.record().unwrap().created_at), DAY);
    harness.travel(DAY * 30).await.unwrap();
    assert_eq!(effects(&format!("{name} welcome")), 1);
    assert_eq!(effects(&format!("{name} remind")), 0);
}

async fn an_event_cancels_a_run_that_waits(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} waits");
    harness.publish(begun(&name)).await.unwrap();
    harness.travel(DAY).await.unwrap();
    let customer = name.clone();
    harness.publish(Died { customer }).await.unwrap();
    // It would end the wait, but the run is over by then.
    let customer = name.clone();
    harness.publish(Paid { customer }).await.unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(payer).await);
    assert_cancelled(&run, "z-cancel-died");
    run.assert_steps(&["ask", "paid"]);
    assert_eq!(effects(&format!("{name} thank")), 0);
}

async fn an_event_cancels_a_run_that_waits_for_a_callback(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} asks");
    harness.publish(begun(&name)).await.unwrap();
    harness.travel(DAY).await.unwrap();
    let id = only(harness.runs_of(asker).await)
        .callback("agreed")
        .unwrap();
    harness.publish(left(&name)).await.unwrap();
    harness.travel(DAY).await.unwrap();
    assert_cancelled(&only(harness.runs_of(asker).await), "z-cancel-left");
    let late = harness.complete(id, &true).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::CallbackClosed);
    assert_eq!(effects(&format!("{name} sign")), 0);
}

async fn other_keys_and_types_cancel_nothing(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} others");
    harness.publish(begun(&name)).await.unwrap();
    harness.travel(DAY).await.unwrap();
    harness.publish(left("somebody")).await.unwrap();
    harness.publish(Left { who: None }).await.unwrap();
    let customer = name.clone();
    // It cancels those that name it, and not the trial.
    harness.publish(Died { customer }).await.unwrap();
    harness.settle().await.unwrap();
    assert_eq!(only(harness.runs_of(trial).await).output().unwrap(), 7);
    assert_cancelled(&only(harness.runs_of(payer).await), "z-cancel-died");
    assert_cancelled(&only(harness.runs_of(asker).await), "z-cancel-died");
}

async fn a_delayed_event_cancels_at_its_time(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} delayed");
    harness.publish(begun(&name)).await.unwrap();
    harness.publish(left(&name)).delay(DAY * 2).await.unwrap();
    harness.travel(DAY).await.unwrap();
    let run = only(harness.runs_of(trial).await);
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    harness.travel(DAY * 2).await.unwrap();
    // Whoever claims next finds it; a loop looks at its time.
    harness.travel(DAY * 20).await.unwrap();
    assert_cancelled(&only(harness.runs_of(trial).await), "z-cancel-left");
    assert_eq!(effects(&format!("{name} remind")), 0);
}

async fn a_rerun_looks_behind_what_cancelled_the_run(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} again");
    let run = trial(begun(&name)).run_id(&*name).via(&harness.worker());
    run.start().await.unwrap();
    harness.publish(left(&name)).await.unwrap();
    harness.publish(left(&name)).await.unwrap();
    harness.settle().await.unwrap();
    assert_cancelled(&only(harness.runs_of(trial).await), "z-cancel-left");
    let run = harness.rerun(trial, &name).await.unwrap();
    assert_eq!(run.output().unwrap(), 7);

    // It listens for what comes later.
    let other = format!("{name} later");
    let run = trial(begun(&other)).run_id(&*other).via(&harness.worker());
    run.start().await.unwrap();
    harness.travel(DAY).await.unwrap();
    harness.publish(left(&other)).await.unwrap();
    harness.settle().await.unwrap();
    let worker = harness.worker();
    assert!(worker.runs().rerun(&other).await.unwrap());
    harness.travel(DAY).await.unwrap();
    harness.publish(left(&other)).await.unwrap();
    harness.settle().await.unwrap();
    let run = worker.runs().get(&other).await.unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    assert_eq!(effects(&format!("{other} welcome")), 1);
}
