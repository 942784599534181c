// `on` names no event.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

struct Plain;

#[belts::function(id = "process", on = Plain)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
