// All handlers come to one type.
use belts::{Event, race, sleep, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    race!("decision", {
        scored = step!("score", order.id.len()) => scored?,
        late = sleep!("late", "1h") => { late?; "late" }
    })
    .await
}

fn main() {}
