// A function takes an event.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process() -> belts::Result<usize> {
    step!("length", 5).await
}

fn main() {}
