// An arm is a future.
use belts::{Event, race, sleep};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    race!("decision", {
        length = order.id.len() => length,
        late = sleep!("late", "1h") => { late?; 0 }
    })
    .await
}

fn main() {}
