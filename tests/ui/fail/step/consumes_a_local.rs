// A step may be tried again.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

fn consume(id: String) -> usize {
    id.len()
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let id = order.id;
    step!("length", async move { consume(id) }).await
}

fn main() {}
