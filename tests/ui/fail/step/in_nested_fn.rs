// A nested fn has no run.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    async fn length(id: &str) -> belts::Result<usize> {
        step!("length", id.len()).await
    }
    length(&order.id).await
}

fn main() {}
