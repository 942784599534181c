// What `?` passes on is an error.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

struct Wrong;

fn check(id: &str) -> Result<usize, Wrong> {
    if id.is_empty() { Err(Wrong) } else { Ok(1) }
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", check(&order.id)?).await
}

fn main() {}
