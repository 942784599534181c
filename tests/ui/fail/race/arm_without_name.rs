// An arm as in `select!`, with a pattern.
use belts::{Event, race};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    race!("decision", {
        Ok(score) = belts::step!("score", order.id.len()) => score,
        late = belts::sleep!("late", "1h") => { late?; 0 }
    })
    .await
}

fn main() {}
