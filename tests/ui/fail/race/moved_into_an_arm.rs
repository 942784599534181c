// What an arm owns is gone with it.
use belts::{Event, race, sleep};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let id = order.id;
    race!("decision", {
        owned = async move { id.len() } => owned + id.len(),
        late = sleep!("late", "1h") => { late?; 0 }
    })
    .await
}

fn main() {}
