// There is no option `retry`.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len(), retry = 3).await?;
    step!("width", order.id.len(), retires = 3).await
}

fn main() {}
