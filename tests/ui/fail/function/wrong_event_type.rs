// The parameter cannot hold what `on` names.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[derive(Serialize, Deserialize, Event)]
struct Cancelled {}

#[belts::function(id = "process", on = [Ordered, Cancelled])]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
