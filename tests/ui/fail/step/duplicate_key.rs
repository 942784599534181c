// A key is used once.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    if order.id.is_empty() {
        return step!("length", 0).await;
    }
    step!("length", order.id.len()).await
}

fn main() {}
