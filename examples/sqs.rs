//! Events through Amazon SQS: publishes some to a queue, and processes them in a worker over SQLite.
//! Run it with `SQS_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/123456789012/orders cargo run --example sqs`.

use std::time::Duration;

use anyhow::Context as _;
use belts::{
    Event, Worker,
    dispatch::Sqs,
    step,
    store::{RunFilter, RunStatus, Sqlite, Store as _},
};
use serde::{Deserialize, Serialize};

/// Somebody ordered something.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct Ordered {
    item: String,
}

#[belts::function(id = "pack", on = Ordered)]
async fn pack(order: Ordered) -> belts::Result<String> {
    let parcel = step!("wrap", format!("a parcel with {}", order.item)).await?;
    step!("label", println!("labelled {parcel}")).await?;
    Ok(parcel)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("SQS_QUEUE_URL").context("SQS_QUEUE_URL names the queue")?;
    let files = tempfile::tempdir()?;
    let store = Sqlite::open(files.path().join("sqs.db")).await?;
    let worker = Worker::builder()
        .store(store.clone())
        .dispatcher(Sqs::open(url).await?)
        .build()
        .await?;

    let items = ["apples", "bread", "cheese"];
    for item in items {
        let item = item.to_owned();
        let published = publish_ordered(Ordered { item }).via(&worker).await?;
        println!("published {}", published.event_id);
    }

    let filter = RunFilter::new().with_statuses([RunStatus::Completed]);
    let ended = async {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        while store.list(filter.clone()).await?.runs.len() < items.len() {
            looks.tick().await;
        }
        worker.shutdown();
        belts::Result::Ok(())
    };
    tokio::try_join!(worker.run(), ended)?;
    println!("all are packed");
    Ok(())
}
