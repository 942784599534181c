// A helper is called in a scope.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::steps]
async fn helper(id: &str) -> belts::Result<usize> {
    step!("length", id.len()).await
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    helper(&order.id).await
}

fn main() {}
