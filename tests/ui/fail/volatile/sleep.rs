// A sleep of tokio begins anew whenever the run resumes.
use std::time::Duration;
use tokio::time;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    tokio::time::sleep(Duration::from_secs(600)).await;
    time::sleep(Duration::from_secs(order.id.len() as u64)).await;
    Ok(())
}

fn main() {}
