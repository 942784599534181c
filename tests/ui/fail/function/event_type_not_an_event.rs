// The parameter is no event.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

struct Plain;

#[belts::function(id = "process", on = Ordered)]
async fn process(_order: Plain) -> belts::Result<usize> {
    step!("length", 5).await
}

fn main() {}
