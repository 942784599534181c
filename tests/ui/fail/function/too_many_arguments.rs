// A function takes an event and a context.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered, cx: belts::Context, retries: u32) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
