// `return` would leave the race alone.
use belts::{Event, race};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let score = race!("decision", {
        scored = belts::step!("score", order.id.len()) => scored?,
        late = belts::sleep!("late", "1h") => return Ok(0),
    })
    .await?;
    Ok(score + 1)
}

fn main() {}
