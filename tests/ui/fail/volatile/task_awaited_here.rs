// A task that is awaited holds up the function.
use std::time::Duration;

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let work = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(600)));
    tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(600))).await.ok();
    work.await.ok();
    step!("length", order.id.len()).await
}

fn main() {}
