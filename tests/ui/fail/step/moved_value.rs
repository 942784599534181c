// A step may be tried again, so it takes nothing for good.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

async fn save(order: Ordered) -> usize {
    order.id.len()
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("save", save(order)).await
}

fn main() {}
