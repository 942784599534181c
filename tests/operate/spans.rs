//! Spans and where the events of user code land in them.
//!
//! This is a binary of its own, in which every test has a subscriber: `tracing` remembers for each span whether anybody
//! wants it, and while there is one subscriber it asks whichever thread comes to that span first. A test without one
//! would then switch the span off for all.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

use std::{
    future::IntoFuture as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, http::Request};
use belts::{Propagator, Worker, WorkerBuilder, dispatch::Channel, step, store::Memory};
use tower::ServiceExt as _;
use tracing::Instrument as _;
use tracing_subscriber::{Layer, prelude::*};

use collect::{Collect, IDS, fields};
use measured::*;

mod collect;
// The binary `operate` uses the rest of it.
#[allow(dead_code)]
mod measured;

async fn watched(end: End) -> Collect {
    let collect = Collect::default();
    let subscriber = tracing_subscriber::registry().with(collect.clone());
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let builder = Worker::builder()
        .store(Memory::new())
        .function(measured)
        .name("watched");
    let worker = builder.build().await.unwrap();
    within("the run ends", worker.execute(Measured { end }))
        .await
        .unwrap();
    collect
}

#[tokio::test]
async fn the_spans_of_a_resumed_run_say_which_steps_were_replayed() {
    let collect = watched(End::AtTheSecondTry).await;
    let runs = collect.named("run");
    assert_eq!(
        fields(&runs, &["function", "attempt", "worker", "outcome"]),
        [
            ["measured", "1", "watched", "suspended"],
            ["measured", "2", "watched", "completed"]
        ]
    );
    assert_eq!(runs[0].fields["run"], runs[1].fields["run"]);
    let steps = collect.named("step");
    assert_eq!(
        fields(&steps, &["step", "replayed", "attempt", "outcome"]),
        [
            ["one", "false", "1", "ok"],
            ["one", "true", "", ""],
            ["two", "false", "1", "ok"]
        ]
    );
    assert!(steps.iter().all(|step| step.parent.is_some()));
    assert!(runs.iter().all(|run| run.parent.is_none()));
}

#[tokio::test]
async fn what_a_step_logs_lands_in_its_span_and_is_not_logged_again() {
    let collect = watched(End::AtTheSecondTry).await;
    assert_eq!(collect.around("in a step"), [["step", "run"]]);
    assert_eq!(collect.around("run failed and will be retried"), [["run"]]);
}

#[tokio::test]
async fn a_failure_is_the_outcome_of_its_spans_and_logged_within_them() {
    let collect = watched(End::Badly).await;
    let steps = collect.named("step");
    assert_eq!(
        fields(&steps[1..], &["step", "outcome"]),
        [["two", "terminal"]]
    );
    assert_eq!(fields(&collect.named("run"), &["outcome"]), [["failed"]]);
    assert_eq!(collect.around("step failed for good"), [["step", "run"]]);
    assert_eq!(collect.around("run failed for good"), [["run"]]);
}

#[tokio::test]
async fn a_run_comes_after_the_span_that_it_was_started_in() {
    let collect = Collect::default();
    let subscriber = tracing_subscriber::registry().with(collect.clone());
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let builder = Worker::builder().store(Memory::new()).function(measured);
    let worker = builder.build().await.unwrap();
    let execute = worker.execute(Measured { end: End::Well }).into_future();
    let request = tracing::info_span!("request");
    within("the run ends", execute.instrument(request))
        .await
        .unwrap();
    assert_eq!(*collect.before.lock().unwrap(), [["request", "run"]]);
    assert!(collect.named("run")[0].parent.is_none());
}

/// The trace of everything here, and a parent id that is the number of a span.
fn written(span: u64) -> String {
    format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span:016x}-01")
}

/// Spans by their numbers, and what the drives of runs were told to come from.
#[derive(Clone, Default)]
struct Numbers(Arc<Mutex<Vec<String>>>);

impl Propagator for Numbers {
    fn inject(&self, span: &tracing::Span) -> Option<String> {
        span.id().map(|id| written(id.into_u64()))
    }

    fn extract(&self, traceparent: &str, span: &tracing::Span) {
        assert_eq!(span.metadata().unwrap().name(), "run");
        self.0.lock().unwrap().push(traceparent.to_owned());
    }
}

impl Numbers {
    fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Runs the worker's loop until a drive was told of a span.
    async fn hear_of_a_run(&self, worker: &Worker) {
        let driving = tokio::spawn({
            let worker = worker.clone();
            async move { worker.run().await }
        });
        eventually("a run is driven", || !self.told().is_empty()).await;
        worker.shutdown();
        within("the worker ends", driving).await.unwrap().unwrap();
    }
}

fn traced(numbers: &Numbers) -> WorkerBuilder {
    let builder = Worker::builder().propagator(numbers.clone());
    builder
        .function(measured)
        .function(publishes)
        .concurrency(1)
}

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, belts::Event)]
struct Parent {}

#[belts::function(id = "publishes", on = Parent)]
async fn publishes(_: Parent) -> belts::Result<()> {
    step!("publish", publish_measured(Measured { end: End::Well })).await?;
    Ok(())
}

#[tokio::test]
async fn every_drive_of_a_run_is_told_the_span_of_the_publish() {
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry());
    let numbers = Numbers::default();
    let worker = traced(&numbers)
        .store(Memory::new())
        .insecure(true)
        .build()
        .await
        .unwrap();
    let request = tracing::info_span!("request");
    let end = End::AtTheSecondTry;
    let execute = worker.execute(Measured { end }).into_future();
    within("the run ends", execute.instrument(request.clone()))
        .await
        .unwrap();
    let expected = written(request.id().unwrap().into_u64());
    assert_eq!(numbers.told(), [expected.clone(), expected]);
}

#[tokio::test]
async fn another_worker_is_told_the_span_of_the_publish() {
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry());
    let (store, numbers) = (Memory::new(), Numbers::default());
    let here = traced(&Numbers::default())
        .store(store.clone())
        .publish_only();
    let here = here.build().await.unwrap();
    let there = traced(&numbers).store(store).build().await.unwrap();
    let request = tracing::info_span!("request");
    let publish = publish_measured(Measured { end: End::Well }).via(&here);
    publish
        .into_future()
        .instrument(request.clone())
        .await
        .unwrap();
    numbers.hear_of_a_run(&there).await;
    assert_eq!(numbers.told(), [written(request.id().unwrap().into_u64())]);
}

#[tokio::test]
async fn a_message_brings_the_span_of_the_publish_to_whoever_receives_it() {
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry());
    let channel = Channel::new(Duration::from_secs(30));
    let numbers = Numbers::default();
    let here = traced(&Numbers::default()).dispatcher(channel.clone());
    let here = here.publish_only().build().await.unwrap();
    let there = traced(&numbers).dispatcher(channel).store(Memory::new());
    let there = there.build().await.unwrap();
    let request = tracing::info_span!("request");
    let publish = publish_measured(Measured { end: End::Well }).via(&here);
    let publish = publish.into_future().instrument(request.clone());
    publish.await.unwrap();
    numbers.hear_of_a_run(&there).await;
    assert_eq!(numbers.told(), [written(request.id().unwrap().into_u64())]);
}

#[tokio::test]
async fn what_a_step_publishes_comes_from_the_span_of_the_step() {
    let collect = Collect::default();
    let subscriber = tracing_subscriber::registry().with(collect.clone());
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let numbers = Numbers::default();
    let worker = traced(&numbers).store(Memory::new()).build().await.unwrap();
    within("the run ends", worker.execute(Parent {}))
        .await
        .unwrap();
    numbers.hear_of_a_run(&worker).await;
    let step = collect.spans.lock().unwrap();
    let step = step.iter().find(|(_, seen)| seen.name == "step").unwrap().0;
    assert_eq!(numbers.told(), [written(step)]);
}

async fn delivered(context: &str, header: Option<&str>) -> Vec<String> {
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry());
    let numbers = Numbers::default();
    let worker = traced(&numbers).store(Memory::new()).insecure(true);
    let worker = worker.build().await.unwrap();
    let mut request = Request::post("/?mode=sync")
        .header("host", "localhost")
        .header("content-type", "application/json");
    if let Some(header) = header {
        request = request.header("traceparent", header);
    }
    let body = format!(r#"{{"event":{{"type":"measured","end":"Well"}},"context":{context}}}"#);
    let request = request.body(Body::from(body)).unwrap();
    let answer = within("the answer", worker.router().oneshot(request)).await;
    assert_eq!(answer.unwrap().status(), 200);
    numbers.told()
}

#[tokio::test]
async fn a_delivery_names_its_span_in_the_context_or_by_the_header() {
    let in_context = format!(r#"{{"traceparent":"{}"}}"#, written(1));
    assert_eq!(delivered(&in_context, None).await, [written(1)]);
    assert_eq!(delivered("{}", Some(&written(2))).await, [written(2)]);
    let both = delivered(&in_context, Some(&written(2))).await;
    assert_eq!(both, [written(1)], "a proxy may have changed the header");
}

#[tokio::test]
async fn a_span_that_cannot_be_read_stops_no_delivery() {
    for wrong in [r#"{"traceparent":"00-1-2-3"}"#, r#"{"traceparent":7}"#] {
        assert!(
            delivered(wrong, Some("nothing of the kind"))
                .await
                .is_empty()
        );
    }
}

#[belts::function(id = "fails-and-is-told-of", on = Failing, retries = 1, backoff = "1ms..1ms")]
async fn fails(_event: Failing) -> belts::Result<()> {
    let failed = step!(
        "try",
        Err::<(), _>("offline"),
        retries = 1,
        backoff = "1ms..1ms"
    )
    .await;
    Err(belts::Error::from_any(failed.unwrap_err().report()))
}

#[derive(Debug, serde::Serialize, serde::Deserialize, belts::Event)]
struct Failing {}

/// What the log of a failing run looks like to a subscriber that takes what this filter lets through.
async fn told_with<F>(filter: F) -> Collect
where
    F: Layer<tracing_subscriber::layer::Layered<Collect, tracing_subscriber::Registry>>
        + Send
        + Sync,
{
    let collect = Collect::default();
    let subscriber = tracing_subscriber::registry().with(collect.clone());
    let _subscriber = tracing::subscriber::set_default(subscriber.with(filter));
    let builder = Worker::builder().store(Memory::new()).function(fails);
    let worker = builder.build().await.unwrap();
    let executed = worker.execute(Failing {}).run_id("told");
    within("the run ends", executed).await.unwrap();
    collect
}

const LINES: [(&str, &[&str]); 4] = [
    ("step failed and will be retried", &IDS),
    ("step failed for good", &IDS),
    (
        "run failed and will be retried",
        &["function", "run", "attempt"],
    ),
    ("run failed for good", &["function", "run", "attempt"]),
];

/// Every line had its run and step twice.
#[tokio::test]
async fn a_line_does_not_repeat_the_ids_of_the_spans_around_it() {
    let collect = told_with(tracing::level_filters::LevelFilter::TRACE).await;
    for (words, _) in LINES {
        let ids = collect.ids_in(words);
        assert!(!ids.is_empty(), "{words}");
        assert!(ids.iter().all(Vec::is_empty), "{words}: {ids:?}");
        let around = &collect.around(words)[0];
        let spans: &[&str] = if words.starts_with("step") {
            &["step", "run"]
        } else {
            &["run"]
        };
        assert_eq!(around, spans, "{words}");
    }
}

#[tokio::test]
async fn a_line_without_spans_around_it_has_the_ids_itself() {
    let collect = told_with(tracing::level_filters::LevelFilter::WARN).await;
    assert!(collect.named("run").is_empty());
    for (words, expected) in LINES {
        let ids = collect.ids_in(words);
        assert!(!ids.is_empty(), "{words}");
        assert!(ids.iter().all(|ids| ids == expected), "{words}: {ids:?}");
    }
    // Spans of runs, and none of steps.
    let filter = |meta: &tracing::Metadata<'_>| meta.is_event() || meta.name() != "step";
    let collect = told_with(tracing_subscriber::filter::filter_fn(filter)).await;
    let ids = collect.ids_in("step failed for good");
    assert_eq!(ids, [["step", "attempt"]]);
}
