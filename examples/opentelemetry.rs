//! The spans of a run that is retried, as OpenTelemetry exports them: here to the terminal, elsewhere to a collector.
//!
//! Run it with `cargo run --example opentelemetry`.

use std::time::Duration;

use belts::{Context, Event, Worker, step, store::Memory};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use tracing_subscriber::prelude::*;

/// Somebody signed up.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct SignedUp {
    email: String,
}

/// Fails at first, after one step; the second attempt finds that step's result in the journal.
#[belts::function(id = "welcome", on = SignedUp)]
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

    let worker = Worker::builder().store(Memory::new()).build().await?;
    let email = "ada@example.com".to_owned();
    let executed = worker.execute(SignedUp { email }).await?;
    assert_eq!(executed.output::<usize>("welcome")?, 15);

    // Whatever is still to be exported goes out now.
    if let Err(error) = provider.shutdown() {
        eprintln!("the spans were not all exported: {error}");
    }
    Ok(())
}
