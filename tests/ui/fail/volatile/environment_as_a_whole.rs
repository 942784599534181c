// A run may resume in a process with another environment.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let count = std::env::vars().count();
    Ok(order.id.len() + count)
}

fn main() {}
