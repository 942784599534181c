//! A worker whose metrics Prometheus scrapes at `/metrics`, in one axum application.
//!
//! Run it with `cargo run --example prometheus`, and then
//! ```text
//! curl -d '{"event": {"type": "order-placed", "cents": 4200}}' -H 'content-type: application/json' localhost:3000/belts
//! curl localhost:3000/metrics
//! ```
//! `ADDRESS` sets another listening address.

#![expect(
    clippy::disallowed_methods,
    reason = "the pauses stand for the work of real services"
)]

use std::time::Duration;

use axum::{Router, routing};
use belts::{Event, Worker, step, store::Memory};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use serde::{Deserialize, Serialize};

/// Somebody ordered something.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct OrderPlaced {
    cents: u64,
}

#[belts::function(id = "place-order", on = OrderPlaced)]
async fn place_order(order: OrderPlaced) -> belts::Result<u64> {
    let taxed = step!("tax", order.cents * 119 / 100).await?;
    step!("charge", async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        taxed
    })
    .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the worker, which registers its metrics when it is built. With buckets, durations can be aggregated over workers.
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".to_owned()),
            &[0.001, 0.01, 0.1, 1.0, 10.0],
        )?
        .install_recorder()?;
    let worker = Worker::builder()
        .store(Memory::new())
        // Anyone who reaches this program may deliver; beyond this machine, use `.signing_keys([…])` instead.
        .insecure(true)
        .build()
        .await?;
    let app = Router::new()
        .route(
            "/metrics",
            routing::get(move || {
                // Moves recorded values into the buckets; a busy program also does so between scrapes.
                metrics.run_upkeep();
                std::future::ready(metrics.render())
            }),
        )
        .nest_service("/belts", worker.router());
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    worker.serve_with(app, listener).await?;
    Ok(())
}
