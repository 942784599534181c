// A future that a closure returns is awaited here.
use std::time::Duration;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let pause = |seconds| async move { tokio::time::sleep(Duration::from_secs(seconds)).await };
    pause(order.id.len() as u64).await;
    Ok(())
}

fn main() {}
