// Two functions of one name, and two helpers.
use belts::{Event, scope, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

#[belts::function(id = "process-again", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    scope!("pack", pack(&order)).await
}

#[belts::steps]
async fn pack(order: &Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

#[belts::steps]
async fn pack(order: &Ordered) -> belts::Result<usize> {
    step!("width", order.id.len()).await
}

fn main() {}
