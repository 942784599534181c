//! `undo`: what the steps of a run did is undone, the last first, once the run has failed or was cancelled.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use belts::{
    Event, sleep, step,
    store::{Memory, RunStatus, StepKind, StepState},
    testing::{Harness, Reopen, SqliteFile},
};
use serde::{Deserialize, Serialize};

use crate::{
    gated::{Named, named, only, within_time},
    places::{InSchema, UnderPrefix},
};

mod ends;
mod families;
mod handed_on;
mod handled;
mod replays;
mod reruns;
mod swept;

/// A server takes a while to open a store.
const LIMIT: Duration = Duration::from_secs(120);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What was done and undone outside of belts, in that order, by the name of the trip. A test uses names that no other has.
static DONE: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());

fn done(name: &str, what: impl Into<String>) {
    let mut all = DONE.lock().unwrap();
    all.entry(name.to_owned()).or_default().push(what.into());
}

fn done_for(name: &str) -> Vec<String> {
    DONE.lock().unwrap().get(name).cloned().unwrap_or_default()
}

#[track_caller]
fn assert_done(name: &str, expected: &[&str]) {
    assert_eq!(done_for(name), expected, "{name}");
}

/// Something that was reserved.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reserved {
    name: String,
    what: String,
}

#[expect(clippy::unused_async, reason = "as what is reserved elsewhere is")]
async fn reserve(name: &str, what: &str) -> belts::Result<Reserved> {
    done(name, what);
    Ok(Reserved {
        name: name.to_owned(),
        what: what.to_owned(),
    })
}

async fn release(reserved: Reserved) -> belts::Result<()> {
    let Reserved { name, what } = reserved;
    done(&name, format!("-{what}"));
    Ok(())
}

#[belts::function(id = "z-undo-trip", on = Named)]
async fn trip(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", reserve(name, "flight"), undo = release).await?;
    step!("mail", done(name, "mail")).await?;
    step!("hotel", reserve(name, "hotel"), undo = release).await?;
    step!("car", async {
        Err::<(), _>(belts::terminal("no car is left"))
    })
    .await
}

#[belts::function(id = "z-undo-stay", on = Named)]
async fn stay(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", reserve(name, "flight"), undo = release).await?;
    step!("hotel", reserve(name, "hotel"), undo = release).await?;
    sleep!("stay", "336h").await?;
    step!("pay", done(name, "pay")).await
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
    a_failed_run_is_undone_in_reverse_order
    a_cancelled_run_is_undone
    what_is_decided_stands_while_it_is_undone
    others_are_undone_where_one_cannot_be
    an_undo_is_tried_again
}

async fn a_failed_run_is_undone_in_reverse_order(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(trip);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} fails");
    let run = harness.run(trip, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_done(&name, &["flight", "mail", "hotel", "-hotel", "-flight"]);
    run.assert_steps(&[
        "flight",
        "mail",
        "hotel",
        "car",
        "undo:hotel",
        "undo:flight",
    ]);
    let error = run.error().unwrap();
    assert!(
        error.report().contains("no car is left"),
        "{}",
        error.report()
    );
    let undo = &run.journal()[4];
    assert_eq!(
        (undo.kind, undo.state),
        (StepKind::Undo, StepState::Completed)
    );
    assert!(run.journal()[0].undoable && !run.journal()[1].undoable);
}

/// A run that rests after its two reservations.
async fn staying(place: impl Reopen, name: &str) -> Harness {
    let harness = Harness::builder().store(place).function(stay);
    let harness = harness.build().await.unwrap();
    let run = stay(named(name)).run_id(name).via(&harness.worker());
    run.start().await.unwrap();
    harness.travel(DAY).await.unwrap();
    harness
}

async fn a_cancelled_run_is_undone(place: impl Reopen, at: &str) {
    let name = &format!("{at} cancelled");
    let harness = staying(place, name).await;
    assert!(harness.worker().runs().cancel(name).await.unwrap());
    let record = harness.store().run(name).await.unwrap();
    assert_eq!(
        (record.status, record.finished_at),
        (RunStatus::Undoing, None)
    );
    assert_done(name, &["flight", "hotel"]);
    harness.settle().await.unwrap();
    let record = harness.store().run(name).await.unwrap();
    assert_eq!(record.status, RunStatus::Cancelled);
    assert!(record.finished_at.is_some());
    assert_done(name, &["flight", "hotel", "-hotel", "-flight"]);
    only(harness.runs_of(stay).await).assert_steps(&[
        "flight",
        "hotel",
        "stay",
        "undo:hotel",
        "undo:flight",
    ]);
}

async fn what_is_decided_stands_while_it_is_undone(place: impl Reopen, at: &str) {
    let name = &format!("{at} twice");
    let harness = staying(place, name).await;
    let worker = harness.worker();
    let runs = worker.runs();
    let both = tokio::join!(runs.cancel(name), runs.cancel(name));
    let both = [both.0.unwrap(), both.1.unwrap()];
    assert_eq!(
        both.iter().filter(|cancelled| **cancelled).count(),
        1,
        "{both:?}"
    );
    assert!(!runs.cancel(name).await.unwrap());
    assert!(!runs.rerun(name).await.unwrap());
    let undoing = belts::store::RunFilter::new().with_statuses([RunStatus::Undoing]);
    let store = harness.store().shared();
    assert_eq!(store.list(undoing.clone()).await.unwrap().runs.len(), 1);
    harness.settle().await.unwrap();
    assert_eq!(store.list(undoing).await.unwrap().runs.len(), 0);
    assert_done(name, &["flight", "hotel", "-hotel", "-flight"]);
}

#[belts::function(id = "z-undo-stuck", on = Named)]
async fn stuck(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", reserve(name, "flight"), undo = release).await?;
    step!(
        "hotel",
        reserve(name, "hotel"),
        undo = |hotel: Reserved| async move {
            done(&hotel.name, "?hotel");
            Err::<(), _>(belts::terminal("the hotel does not answer"))
        }
    )
    .await?;
    step!(
        "boat",
        reserve(name, "boat"),
        undo = |_| async { assert_eq!(1, 2, "it sank") }
    )
    .await?;
    Err(belts::terminal("it rains"))
}

async fn others_are_undone_where_one_cannot_be(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(stuck);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} stuck");
    let run = harness.run(stuck, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert!(run.error().unwrap().report().contains("it rains"));
    assert_done(&name, &["flight", "hotel", "boat", "?hotel", "-flight"]);
    let undos: Vec<_> = run.journal()[3..]
        .iter()
        .map(|undo| (&*undo.path, undo.state, undo.attempts))
        .collect();
    let expected = [
        ("undo:boat", StepState::Failed, 11),
        ("undo:hotel", StepState::Failed, 1),
        ("undo:flight", StepState::Completed, 1),
    ];
    assert_eq!(undos, expected);
    let error = harness
        .store()
        .step_error(run.run_id(), "undo:boat")
        .await
        .unwrap();
    assert!(error.report().contains("it sank"), "{}", error.report());
}

#[belts::function(id = "z-undo-slow", on = Named)]
async fn slow(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!(
        "flight",
        reserve(name, "flight"),
        undo = |flight: Reserved| async move {
            let times = done_for(&flight.name).len();
            done(&flight.name, "?flight");
            if times < 8 { Err("not now") } else { Ok(()) }
        }
    )
    .await?;
    Err(belts::terminal("it rains"))
}

async fn an_undo_is_tried_again(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(slow);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} slow");
    let run = harness.run(slow, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_eq!(run.attempts("undo:flight"), 8);
    assert_eq!(run.journal()[1].state, StepState::Completed);
}
