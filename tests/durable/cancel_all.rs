//! What is cancelled with a filter: all that passes it, and nothing else.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use belts::{
    CancelFailed, Clock as _, ErrorKind, Event, RunHandle, Runs, SystemClock, Worker, call, sleep,
    start, step,
    store::{Memory, NewEvent, Publish, RunFilter, RunStatus, SharedStore, Sqlite},
    testing::{Harness, Reopen, SqliteFile},
};
use belts_suite::Hooked;
use serde::{Deserialize, Serialize};

use crate::{
    gated::{effect, effects, eventually, gate, looped, open, within, within_time},
    places::{InSchema, UnderPrefix},
};

mod families;
mod many;

/// A server takes a while to open a store.
const LIMIT: Duration = Duration::from_secs(90);
const HOUR: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-all-asked")]
struct Asked {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-all-family")]
struct Began {
    name: String,
}

fn asked(name: &str) -> Asked {
    let name = name.to_owned();
    Asked { name }
}

#[belts::function(id = "z-all-sleeps", on = Asked)]
async fn sleeps(asked: Asked) -> belts::Result<u32> {
    let name = &asked.name;
    step!("first", effect(format!("{name} first"))).await?;
    sleep!("long", "240h").await?;
    step!("second", effect(format!("{name} second"))).await?;
    Ok(7)
}

#[belts::function(id = "z-all-other", on = Asked)]
async fn other(_asked: Asked) -> belts::Result<u32> {
    sleep!("long", "240h").await?;
    Ok(8)
}

/// Calls a run that is attached to it, and starts one that is not, of which it hears.
#[belts::function(id = "z-all-parent", on = Began, retries = 0)]
async fn parent(began: Began) -> belts::Result<u32> {
    let name = began.name;
    sleep!("pause", "1h").await?;
    let started: RunHandle<u32> = start!("free", sleeps(asked(&name))).await?;
    let (called, heard) = tokio::join!(call!("held", sleeps(asked(&name))), started.result());
    step!("after", effect(format!("{name} went on"))).await?;
    Ok(called? + heard?)
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-all-level")]
struct Level {
    name: String,
    above: u32,
}

fn level(name: &str, above: u32) -> Level {
    let name = name.to_owned();
    Level { name, above }
}

#[belts::function(id = "z-all-odd", on = Level, retries = 0)]
async fn odd(level: Level) -> belts::Result<()> {
    if level.above == 0 {
        return sleep!("long", "240h").await;
    }
    call!("below", even(self::level(&level.name, level.above - 1))).await
}

#[belts::function(id = "z-all-even", on = Level, retries = 0)]
async fn even(level: Level) -> belts::Result<()> {
    let below = call!("below", odd(self::level(&level.name, level.above - 1))).await;
    step!("after", effect(format!("{} went on", level.name))).await?;
    below
}

#[belts::function(id = "z-all-gated", on = Asked)]
async fn gated(asked: Asked) -> belts::Result<()> {
    let name = &asked.name;
    let _gone = Gone(name.clone());
    step!("first", async {
        effect(name.as_str());
        gate(name).await;
    })
    .await?;
    step!("second", effect(format!("{name} second"))).await
}

/// Says when its future goes.
struct Gone(String);

impl Drop for Gone {
    fn drop(&mut self) {
        effect(format!("{} gone", self.0));
    }
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

everywhere! {
    all_that_passes_is_cancelled_and_nothing_else
    a_family_ends_as_one
    a_family_with_a_gap_ends_as_one
    each_condition_counts
}

async fn harness(place: impl Reopen) -> Harness {
    let builder = Harness::builder().store(place).function(sleeps);
    let builder = builder.function(other).function(parent);
    builder.function(odd).function(even).build().await.unwrap()
}

/// The statuses of all runs of a function.
async fn statuses(runs: &Runs, function: &str) -> Vec<RunStatus> {
    let page = runs.list().function(function).limit(1_000).await.unwrap();
    page.runs.iter().map(|run| run.status).collect()
}

fn of(function: &str) -> RunFilter {
    RunFilter::new().with_function(function)
}

async fn all_that_passes_is_cancelled_and_nothing_else(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} plain");
    for _ in 0..12 {
        harness.publish(asked(&name)).await.unwrap();
    }
    harness.travel(HOUR).await.unwrap();
    let worker = harness.worker();
    let runs = worker.runs().by("ada");
    let count = runs.count(of("z-all-sleeps")).await.unwrap();
    assert_eq!((count.runs, count.more), (12, false));
    let done = runs.cancel_all(of("z-all-sleeps")).await.unwrap();
    assert_eq!((done.cancelled, done.ended, done.next), (12, 0, None));
    let ended = runs.list().function("z-all-sleeps").await.unwrap().runs;
    assert_eq!(ended.len(), 12);
    for run in ended {
        assert_eq!(run.status, RunStatus::Cancelled);
        let notes = runs.get(&run.run_id).await.unwrap().notes;
        assert_eq!(notes.len(), 1);
        let (by, action) = (&*notes[0].by, &*notes[0].action);
        assert_eq!(
            (by, action),
            ("ada", "cancel all with function z-all-sleeps")
        );
    }
    let others = statuses(&runs, "z-all-other").await;
    assert_eq!(others, [RunStatus::Suspended; 12]);
    let again = runs.cancel_all(of("z-all-sleeps")).await.unwrap();
    assert_eq!((again.cancelled, again.ended), (0, 0));
    harness.travel(HOUR * 300).await.unwrap();
    assert_eq!(effects(&format!("{name} first")), 12);
    assert_eq!(effects(&format!("{name} second")), 0);
    assert_eq!(
        statuses(&runs, "z-all-other").await,
        [RunStatus::Completed; 12]
    );
}

/// Once its child was cancelled, a parent was due, and no longer passed a filter for those that sleep.
async fn a_family_ends_as_one(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} family");
    harness.publish(Began { name: name.clone() }).await.unwrap();
    harness.travel(HOUR * 2).await.unwrap();
    let worker = harness.worker();
    let runs = worker.runs();
    let sleeping = RunFilter::new().with_statuses([RunStatus::Suspended]);
    assert_eq!(runs.count(sleeping.clone()).await.unwrap().runs, 3);
    let done = runs.cancel_all(sleeping).await.unwrap();
    assert_eq!((done.cancelled, done.ended), (3, 0), "{done:?}");
    harness.travel(HOUR * 300).await.unwrap();
    assert_eq!(effects(&format!("{name} went on")), 0);
    let all = runs.list().await.unwrap().runs;
    assert!(all.iter().all(|run| run.status == RunStatus::Cancelled));
    assert_eq!(all.len(), 3);
}

/// Between the two that pass there is one that does not: it would hear of the end of its child, and go on.
async fn a_family_with_a_gap_ends_as_one(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} gap");
    let worker = harness.worker();
    odd(level(&name, 2)).via(&worker).start().await.unwrap();
    harness.travel(HOUR).await.unwrap();
    let runs = worker.runs();
    let done = runs.cancel_all(of("z-all-odd")).await.unwrap();
    assert_eq!((done.cancelled, done.ended), (2, 0), "{done:?}");
    harness.travel(HOUR * 300).await.unwrap();
    assert_eq!(effects(&format!("{name} went on")), 0);
    assert_eq!(statuses(&runs, "z-all-even").await, [RunStatus::Cancelled]);
}

async fn each_condition_counts(place: impl Reopen, at: &str) {
    let harness = harness(place).await;
    let name = format!("{at} conditions");
    harness.publish(Began { name: name.clone() }).await.unwrap();
    harness.travel(HOUR * 2).await.unwrap();
    let later = harness.now();
    harness.publish(asked(&name)).await.unwrap();
    let worker = harness.worker();
    let runs = worker.runs();
    let parent = runs.list().function("z-all-parent").await.unwrap().runs;
    let parent = Arc::clone(&parent[0].run_id);
    let cancelled = async |filter| runs.cancel_all(filter).await.unwrap().cancelled;
    let pending = [RunStatus::Pending];
    assert_eq!(
        cancelled(of("z-all-parent").with_statuses(pending)).await,
        0
    );
    assert_eq!(cancelled(of("z-all-sleeps").with_event("nothing")).await, 0);
    assert_eq!(cancelled(of("z-all-parent").with_since(later)).await, 0);
    assert_eq!(cancelled(RunFilter::new().with_since(later)).await, 2);
    let event = &runs.get(&parent).await.unwrap().event_id;
    let below = RunFilter::new().with_parent(Arc::clone(&parent));
    assert_eq!(cancelled(below).await, 2);
    let of_event = RunFilter::new().with_event(Arc::clone(event));
    assert_eq!(cancelled(of_event.with_until(later)).await, 1);
    assert_eq!(cancelled(RunFilter::new().with_until(later)).await, 0);
}

/// The parent is older than the first page of those that pass.
#[tokio::test]
async fn a_parent_on_a_later_page_is_cancelled_before_its_child() {
    let harness = harness(Memory::new()).await;
    let name = "m far";
    let began = || Began {
        name: name.to_owned(),
    };
    harness.publish(began()).await.unwrap();
    for _ in 0..300 {
        harness.publish(asked("m between")).await.unwrap();
    }
    harness.travel(HOUR * 2).await.unwrap();
    let worker = harness.worker();
    let runs = worker.runs();
    let sleeping = RunFilter::new().with_statuses([RunStatus::Suspended]);
    let first = runs
        .cancel_part(sleeping.clone().with_limit(0))
        .await
        .unwrap();
    assert_eq!((first.cancelled, first.ended, first.next), (603, 0, None));
    harness.travel(HOUR * 300).await.unwrap();
    assert_eq!(effects(&format!("{name} went on")), 0);
    assert_eq!(
        statuses(&runs, "z-all-parent").await,
        [RunStatus::Cancelled]
    );
}

async fn worker_on(store: &Memory) -> Worker {
    let builder = Worker::builder().store(store.clone()).function(gated);
    let builder = builder.sweep(Duration::from_millis(50));
    builder.build().await.unwrap()
}

/// Runs that are driven here, and by another worker, are dropped.
#[tokio::test]
async fn runs_that_are_driven_are_dropped() {
    for place in ["here", "elsewhere"] {
        let store = Memory::new();
        let worker = worker_on(&store).await;
        let running = looped(&worker);
        let name = format!("bulk {place}");
        for _ in 0..3 {
            let event = publish_asked(asked(&name));
            event.via(&worker).await.unwrap();
        }
        eventually("the steps begin", async || effects(&name) == 3).await;
        let runs = match place {
            "here" => worker.runs(),
            _ => Runs::of(Arc::new(store.clone())),
        };
        let done = runs.cancel_all(of("z-all-gated")).await.unwrap();
        assert_eq!(done.cancelled, 3);
        eventually("the functions are dropped", async || {
            effects(&format!("{name} gone")) == 3
        })
        .await;
        open(&name);
        worker.shutdown();
        within("the shutdown", running).await.unwrap().unwrap();
        assert_eq!(effects(&format!("{name} second")), 0);
    }
}
