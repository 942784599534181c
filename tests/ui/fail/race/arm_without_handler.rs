// An arm that does not say what follows.
use belts::{Event, race};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    race!("decision", {
        scored = belts::step!("score", order.id.len()),
        late = belts::sleep!("late", "1h") => { late?; 0 }
    })
    .await
}

fn main() {}
