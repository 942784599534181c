// Two arms of one name.
use belts::{Event, race, sleep, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    race!("decision", {
        first = step!("score", order.id.len()) => first?,
        first = sleep!("late", "1h") => { first?; 0 }
    })
    .await
}

fn main() {}
