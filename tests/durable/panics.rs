//! User code that panics where the engine calls it: it costs its own run a failed attempt, and nobody else anything.
//!
//! A panicking `when` was claimed 35,770 times in two seconds and ended the loop of every worker that it reached by a
//! dispatcher; an error whose `Display` panics had its run driven 19,129 times in five.
#![expect(
    clippy::redundant_closure,
    clippy::unnecessary_wraps,
    clippy::unused_async,
    reason = "they stand where user code stands, in the form that it has"
)]

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use belts::{
    ErrorKind, Event, Worker,
    dispatch::Channel,
    middleware::{Middleware, Next, Outcome, RunInfo, StepInfo},
    sleep, step,
    store::{Memory, RunStatus},
    testing::{Harness, ManualClock},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::gated::{effect, effects, eventually, looped, runs_of, within};

/// Which code panics.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Place {
    Nowhere,
    Validate,
    Write,
    Read,
    Filter,
    Display,
    DisplayOfStep,
    Source,
    SourceWithoutEnd,
    DropOfError,
    WriteResult,
    ReadResult,
    DropOfResult,
    DropOfStep,
    DropOfFunction,
    WriteOutput,
    Middleware,
    MiddlewareOfStep,
    MiddlewareBeforeItsFuture,
}
use Place as At;

const MET: &str = "met in its place";

/// Panics where it is told to.
#[derive(Debug)]
struct Bad(Place);

impl Bad {
    fn meets(&self, place: Place) {
        assert!(self.0 != place, "{MET}");
    }
}

impl Serialize for Bad {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.meets(At::Write);
        self.meets(At::WriteResult);
        self.meets(At::WriteOutput);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bad {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bad = Self(de::Deserialize::deserialize(deserializer)?);
        bad.meets(At::Read);
        bad.meets(At::ReadResult);
        Ok(bad)
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meets(At::Display);
        self.meets(At::DisplayOfStep);
        f.write_str(MET)
    }
}

impl std::error::Error for Bad {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.meets(At::Source);
        (self.0 == At::SourceWithoutEnd).then_some(self)
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.meets(At::DropOfError);
        self.meets(At::DropOfResult);
        self.meets(At::DropOfStep);
        self.meets(At::DropOfFunction);
    }
}

/// A future that panics when it is dropped.
struct Falls(#[expect(dead_code, reason = "it is there to be dropped")] Option<Bad>);

impl Future for Falls {
    type Output = Result<u32, Bad>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(1))
    }
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "fragile", validate = valid)]
struct Fragile {
    at: Place,
    part: Part,
}

/// Is written and read by user code; has no drop of its own, for it is dropped everywhere.
#[derive(Debug)]
struct Part(Place);

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != At::Write, "{MET}");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let part = Self(de::Deserialize::deserialize(deserializer)?);
        assert!(part.0 != At::Read, "{MET}");
        Ok(part)
    }
}

fn fragile_at(at: Place) -> Fragile {
    Fragile { at, part: Part(at) }
}

fn valid(event: &Fragile) -> Result<(), String> {
    assert!(event.at != At::Validate, "{MET}");
    Ok(())
}

fn wanted(event: &Fragile) -> bool {
    effect(format!("asked for {:?}", event.at));
    assert!(event.at != At::Filter, "{MET}");
    true
}

#[belts::function(id = "fragile", on = Fragile, when = |event| wanted(event), retries = 1, backoff = "1s..1s")]
async fn fragile(event: Fragile) -> Result<Option<Bad>, Bad> {
    let at = event.at;
    effect(format!("driven {at:?}"));
    let _held = (at == At::DropOfFunction).then(|| Falls(Some(Bad(at))));
    let stepped = step!("work", worked(at).await, retries = 1, backoff = "1s..1s").await;
    if at == At::DropOfStep {
        let _ = step!("falls", Falls(Some(Bad(at)))).await;
    }
    if at == At::DropOfFunction {
        // The run leaves memory here, and its future with it.
        let _ = sleep!("night", "8h").await;
        std::mem::forget(_held);
        return Ok(None);
    }
    match at {
        At::Display | At::Source | At::SourceWithoutEnd | At::DropOfError => Err(Bad(at)),
        At::WriteOutput => Ok(Some(Bad(at))),
        _ if stepped.is_err() => Err(Bad(At::Nowhere)),
        _ => Ok(None),
    }
}

async fn worked(at: Place) -> Result<Option<Bad>, Bad> {
    effect(format!("evaluated {at:?}"));
    match at {
        At::DisplayOfStep => Err(Bad(at)),
        At::WriteResult | At::ReadResult | At::DropOfResult => Ok(Some(Bad(at))),
        _ => Ok(None),
    }
}

/// Takes the same event, and reads little of it.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "fragile")]
struct Sound {
    at: Place,
}

#[belts::function(id = "sound", on = Sound)]
async fn sound(_event: Sound) -> belts::Result<u32> {
    step!("work", 1).await
}

struct Falling;

/// Panics around the fragile function only.
fn meets(run: &RunInfo, place: Place) {
    let at = run.event::<Sound>().map_or(At::Nowhere, |event| event.at);
    assert!(run.function_id() != "fragile" || at != place, "{MET}");
}

impl Middleware for Falling {
    // Written out, since what `async_trait` makes of an `async fn` panics in its future only.
    fn run<'a, 'b, 'c, 'd>(
        &'a self,
        run: &'b RunInfo,
        next: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        meets(run, At::MiddlewareBeforeItsFuture);
        Box::pin(async move {
            meets(run, At::Middleware);
            next.call().await
        })
    }

    fn step<'a, 'b, 'c, 'd>(
        &'a self,
        step: &'b StepInfo,
        next: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        meets(step.run(), At::MiddlewareOfStep);
        Box::pin(next.call())
    }
}

async fn harness() -> Harness {
    let builder = Harness::builder().function(fragile).function(sound);
    let builder = builder.worker(|worker| worker.middleware(Falling));
    builder.build().await.unwrap()
}

/// What becomes of the fragile run: its failed attempts, or its completion.
enum Comes {
    Fails(u32, &'static str),
    Completes,
}
use Comes::{Completes, Fails};

const PLACES: [(Place, Comes); 17] = [
    (At::Nowhere, Completes),
    (At::Read, Fails(2, MET)),
    (
        At::Filter,
        Fails(2, "the filter of `fragile` panicked: met in its place"),
    ),
    (
        At::Display,
        Fails(2, "its `Display` panicked: met in its place"),
    ),
    (At::DisplayOfStep, Fails(2, MET)),
    (At::Source, Fails(2, MET)),
    (At::SourceWithoutEnd, Fails(2, MET)),
    (At::DropOfError, Fails(2, MET)),
    (At::WriteResult, Fails(2, MET)),
    (At::ReadResult, Fails(2, MET)),
    // Dropped by the function itself.
    (At::DropOfResult, Fails(2, MET)),
    (At::DropOfStep, Completes),
    (At::DropOfFunction, Completes),
    (At::WriteOutput, Fails(2, MET)),
    (At::Middleware, Fails(2, MET)),
    (At::MiddlewareOfStep, Fails(2, MET)),
    (At::MiddlewareBeforeItsFuture, Fails(2, MET)),
];

#[tokio::test]
async fn a_panic_of_user_code_costs_its_own_run_an_attempt_and_nobody_else_anything() {
    for (at, comes) in PLACES {
        let harness = harness().await;
        within("the publish", harness.publish(fragile_at(at)))
            .await
            .unwrap();
        within("the runs", harness.settle()).await.unwrap();
        let run = &harness.runs_of(sound).await.unwrap()[0];
        assert_eq!(
            run.status(),
            Some(RunStatus::Completed),
            "{at:?}: the other function"
        );
        let run = &harness.runs_of(fragile).await.unwrap()[0];
        let record = run.record().unwrap();
        match comes {
            Completes => assert_eq!(run.status(), Some(RunStatus::Completed), "{at:?}"),
            Fails(attempts, text) => {
                let error = run.error().map(|error| error.report()).unwrap_or_default();
                assert!(error.contains(text), "{at:?}: {error}");
                assert_eq!(record.failed_attempts, attempts, "{at:?}: {error}");
            }
        }
        assert!(effects(&format!("driven {at:?}")) <= 4, "{at:?}");
        assert!(effects(&format!("evaluated {at:?}")) <= 4, "{at:?}");
    }
}

#[tokio::test]
async fn an_event_whose_code_panics_is_an_error_of_the_publisher() {
    let harness = harness().await;
    for at in [At::Validate, At::Write] {
        let error = harness.publish(fragile_at(at)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked, "{at:?}");
        assert!(error.report().contains(MET), "{at:?}: {error:?}");
        let error = harness.worker().execute(fragile_at(at)).await.unwrap_err();
        assert!(error.report().contains(MET), "{at:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_filter_that_panics_is_asked_once_an_attempt_whoever_published() {
    // A publisher without the function leaves the question to whoever claims the run.
    let (store, clock) = (Memory::new(), ManualClock::default().skip_sleeps(true));
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let publisher = builder.publish_only().build().await.unwrap();
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let worker = builder
        .function(fragile)
        .function(sound)
        .jitter(|| f64::NAN);
    let worker = worker.build().await.unwrap();
    let running = looped(&worker);
    let before = effects("asked for Filter");
    publish_fragile(fragile_at(At::Filter))
        .via(&publisher)
        .await
        .unwrap();
    eventually("the run fails", async || {
        clock.advance(Duration::from_secs(1));
        runs_of(&store, "fragile").await[0].status == RunStatus::Failed
    })
    .await;
    assert_eq!(runs_of(&store, "fragile").await[0].failed_attempts, 2);
    // The other test of this filter may run beside this one: two attempts, and the question at the publish.
    assert!(effects("asked for Filter") - before <= 5);
    worker.shutdown();
    within("the end of the loop", running)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_message_whose_code_panics_is_left_to_others_or_gets_its_run() {
    // By a dispatcher such a message ended `run()` of each worker that was given it.
    let (store, channel) = (Memory::new(), Channel::new(Duration::from_secs(30)));
    let builder = Worker::builder()
        .store(store.clone())
        .dispatcher(channel.clone());
    let worker = builder
        .function(fragile)
        .function(sound)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    publish_fragile(fragile_at(At::Read))
        .via(&worker)
        .await
        .unwrap();
    publish_fragile(fragile_at(At::Filter))
        .via(&worker)
        .await
        .unwrap();
    eventually("the other one is taken", async || {
        !runs_of(&store, "sound").await.is_empty()
    })
    .await;
    assert!(
        channel.put_aside().is_empty(),
        "another version may read it"
    );
    assert!(!running.is_finished());
    worker.shutdown();
    within("the end of the loop", running)
        .await
        .unwrap()
        .unwrap();
}
