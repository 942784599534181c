// A step does nothing until awaited.
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len());
    Ok(1)
}

fn main() {}
