// A limit of time begins anew whenever the run resumes.
use std::time::Duration;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let length = tokio::time::timeout(Duration::from_secs(600), async { order.id.len() }).await;
    Ok(length.unwrap_or(0))
}

fn main() {}
