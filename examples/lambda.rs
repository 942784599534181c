//! belts on AWS Lambda: no loop, no server, each run driven within requests that QStash makes.
//!
//! Build it with `cargo lambda build --release -p belts-examples-more --example lambda`, give the function a URL, and set in
//! its environment:
//! - `BELTS_STORE`, a Postgres or Redis URL: a Lambda keeps no files;
//! - `BELTS_URL`, the function's own URL, to which QStash posts;
//! - `QSTASH_TOKEN`, `QSTASH_CURRENT_SIGNING_KEY` and `QSTASH_NEXT_SIGNING_KEY` of the console.
//!
//! Then publish from anywhere that has the token:
//! ```text
//! curl -H "authorization: Bearer $QSTASH_TOKEN" -H 'content-type: application/json' \
//!     -d '{"event": {"type": "report-asked", "month": "2026-11"}}' "https://qstash.upstash.io/v2/publish/$BELTS_URL"
//! ```

use std::time::Duration;

use belts::{Event, Worker, sleep, step};
use serde::{Deserialize, Serialize};

/// Somebody wants a report.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct ReportAsked {
    month: String,
}

#[belts::function(id = "write-report", on = ReportAsked)]
async fn write_report(asked: ReportAsked) -> belts::Result<String> {
    let rows = step!("collect", asked.month.len() * 1000).await?;
    // Nothing runs meanwhile: the rest of the run is a message that QStash delays until then.
    sleep!("until the books are closed", "2h").await?;
    step!("write", format!("{}: {rows} rows", asked.month)).await
}

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let worker = Worker::builder()
        .store_url(variable("BELTS_STORE")?)
        .dispatcher_url("qstash")
        .url(variable("BELTS_URL")?)
        // The function's time limit, less the longest step.
        .budget(Duration::from_secs(20))
        .build()
        .await?;
    worker.install();
    lambda_http::run(worker.router()).await
}
