// A function returns a `Result`.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> usize {
    step!("length", order.id.len()).await.unwrap_or(0)
}

fn main() {}
