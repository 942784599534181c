// A function takes events of one type.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(_order: impl belts::Event) -> belts::Result<usize> {
    step!("length", 5).await
}

fn main() {}
