// An id has at least one character.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
