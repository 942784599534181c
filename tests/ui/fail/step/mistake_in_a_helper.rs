// A mistake in a helper is none of its callers'.

use belts::{Event, scope, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::steps]
async fn helper(id: &str) -> belts::Result<usize> {
    step!("length", id.len()).await?;
    step!("length", id.len()).await
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    scope!("one", helper(&order.id)).await
}

fn main() {}
