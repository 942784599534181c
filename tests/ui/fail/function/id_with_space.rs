// An id holds only a-z, 0-9, `-`, `_`, `.` and `/`.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process order", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
