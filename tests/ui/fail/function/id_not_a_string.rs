// An id is a string literal, known at compile time.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

const ID: &str = "process";

#[belts::function(id = ID, on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
