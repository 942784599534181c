// A helper is part of the function that calls it.
use std::time::SystemTime;

use belts::{Event, scope, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    scope!("age", age(&order)).await
}

#[belts::steps]
async fn age(order: &Ordered) -> belts::Result<usize> {
    let time = SystemTime::now();
    step!("age", format!("{} {time:?}", order.id).len()).await
}

fn main() {}
