// The macros are found by their names.

use belts::{Event, step as saved};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

fn durable(_: &str) {}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    durable("x");
    saved!("length", order.id.len()).await
}

fn main() {}
