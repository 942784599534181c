// An interval begins anew whenever the run resumes.
use std::time::Duration;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(order.id.len() as u64));
    ticks.tick().await;
    Ok(())
}

fn main() {}
