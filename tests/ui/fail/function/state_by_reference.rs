// A function owns what it takes.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered, retries: &u32, _name: impl ToString) -> belts::Result<usize> {
    step!("length", order.id.len() + *retries as usize).await
}

fn main() {}
