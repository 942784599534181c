// An id has at most 100 characters.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(
    id = "process-process-process-process-process-process-process-process-process-process-process-process-process-order",
    on = Ordered
)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
