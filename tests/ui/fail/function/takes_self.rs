// A function is free.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

struct Shop;

impl Shop {
    #[belts::function(id = "process", on = Ordered)]
    async fn process(&self, order: Ordered) -> belts::Result<usize> {
        step!("length", order.id.len()).await
    }
}

fn main() {}
