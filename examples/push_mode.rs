//! A worker without a loop: its router alone, as on a serverless host, driven by the requests of a queue that pushes.
//!
//! The queue is QStash, mocked within this program; `cargo run --example push_mode` needs nothing else.

use std::time::Duration;

use belts::{
    Event, Worker,
    dispatch::Qstash,
    sleep, step,
    store::{Memory, RunFilter, Store as _},
};
use belts_qstash_mock::Mock;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// A customer's trial begins.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct TrialBegun {
    customer: String,
}

#[belts::function(id = "trial", on = TrialBegun)]
async fn trial(begun: TrialBegun) -> belts::Result<String> {
    step!("welcome", println!("  welcome, {}", begun.customer)).await?;
    sleep!("the trial", "5s").await?;
    step!(
        "remind",
        println!("  {}, your trial is over", begun.customer)
    )
    .await?;
    Ok(format!("{} was reminded", begun.customer))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = Mock::start()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/belts", listener.local_addr()?);
    let keys = service.keys();
    let qstash = Qstash::builder(service.token(), &url)
        .url(service.url())
        .signing_keys(keys.current, keys.next)
        .build()?;

    let store = Memory::new();
    let worker = Worker::builder()
        .store(store.clone())
        .dispatcher(qstash)
        .url(&url)
        .build()
        .await?;
    worker.install();
    // Only the router: `worker.run()` is never called.
    let app = axum::Router::new().nest_service("/belts", worker.router());
    tokio::spawn(async move { axum::serve(listener, app).await });

    let customer = "Ada".to_owned();
    publish_trial_begun(TrialBegun { customer }).await?;
    service.idle(Duration::from_secs(60)).await?;

    for run in store.list(RunFilter::default()).await?.runs {
        println!("{} is {}", run.function_id, run.status);
    }
    for delivery in service.deliveries() {
        println!("delivery of {}", delivery.message_id);
    }
    Ok(())
}
