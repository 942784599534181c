// A line of a log may differ, but has to say so.
use std::time::SystemTime;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    tracing::info!(at = ?SystemTime::now(), id = %order.id, "begun");
    Ok(())
}

fn main() {}
