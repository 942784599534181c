// A duration has units.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    belts::sleep!("pause", "10").await?;
    belts::sleep!("break", 10).await?;
    step!("length", order.id.len(), timeout = "1m30", backoff = "1s").await
}

fn main() {}
