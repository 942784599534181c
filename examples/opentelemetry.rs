//! One trace from the request that publishes an event to the steps of the run that it starts, in another worker, as
//! OpenTelemetry exports it: here to the terminal, elsewhere to a collector.
//!
//! Run it with `cargo run --example opentelemetry`; every span that it prints has one trace id.

use std::{collections::HashMap, time::Duration};

use belts::{
    Context, Event, Propagator, Worker, step,
    store::{Memory, RunFilter, Store as _},
};
use opentelemetry::{propagation::TextMapPropagator as _, trace::TracerProvider as _};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use serde::{Deserialize, Serialize};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::prelude::*;

const TRACEPARENT: &str = "traceparent";

/// Translates what belts keeps with an event for OpenTelemetry.
struct OpenTelemetry(TraceContextPropagator);

impl Propagator for OpenTelemetry {
    fn inject(&self, span: &Span) -> Option<String> {
        let mut headers = HashMap::new();
        self.0.inject_context(&span.context(), &mut headers);
        headers.remove(TRACEPARENT)
    }

    fn extract(&self, traceparent: &str, span: &Span) {
        let headers = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
        // It fails if nothing is exported.
        let _ = span.set_parent(self.0.extract(&headers));
    }
}

/// Somebody signed up.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct SignedUp {
    email: String,
}

/// Fails at first, after one step; the second attempt finds that step's result in the journal.
#[belts::function(id = "welcome", on = SignedUp, backoff = "1ms..1ms")]
async fn welcome(signup: SignedUp, cx: Context) -> belts::Result<usize> {
    let length = step!("count", {
        // An event of the step's span.
        tracing::info!("counting");
        signup.email.len()
    })
    .await?;
    if cx.attempt() == 1 {
        return Err(belts::retry_after(Duration::ZERO, "the mail server naps"));
    }
    step!("send-mail", length).await
}

#[tokio::main]
async fn main() -> belts::Result<()> {
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(opentelemetry_stdout::SpanExporter::default())
        .build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("example"));
    // Without a filter there are spans of replayed steps as well, which are at the level DEBUG.
    tracing_subscriber::registry().with(spans).init();

    // These could be two processes: a web server that publishes, and a worker.
    let store = Memory::new();
    let builder = || {
        let propagator = OpenTelemetry(TraceContextPropagator::new());
        Worker::builder()
            .store(store.clone())
            .propagator(propagator)
    };
    let worker = builder().build().await?;
    let web = builder().publish_only().build().await?;

    let email = "ada@example.com".to_owned();
    let publish = publish_signed_up(SignedUp { email }).via(&web);
    let request = tracing::info_span!("POST /signup");
    async { publish.await }.instrument(request).await?;

    let driving = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let mut look = tokio::time::interval(Duration::from_millis(10));
    while !finished(&store).await? {
        look.tick().await;
    }
    worker.shutdown();
    driving.await.expect("the worker does not panic")?;

    // Exports what is left.
    if let Err(error) = provider.shutdown() {
        eprintln!("the spans were not all exported: {error}");
    }
    Ok(())
}

async fn finished(store: &Memory) -> belts::Result<bool> {
    let runs = store.list(RunFilter::default()).await?.runs;
    Ok(runs.iter().all(|run| run.status.is_finished()))
}
