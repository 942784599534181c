// All mistakes are told at once, those of the steps too.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "Process", retries = 3.5, colour = "red")]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await?;
    step!("length", order.id.len(), timeout = "soon").await
}

fn main() {}
