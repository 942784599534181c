// The arms belong in braces.
use belts::{Event, race};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    race!("decision", scored = belts::step!("score", order.id.len()) => scored?).await
}

fn main() {}
