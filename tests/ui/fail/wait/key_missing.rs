// The event has a key, and the wait says none.
use belts::{Event, wait};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = id)]
struct Ordered {
    id: String,
}

#[derive(Serialize, Deserialize, Event)]
#[event(key = order)]
struct Paid {
    order: String,
    cents: u32,
}

#[derive(Serialize, Deserialize, Event)]
struct DoorsOpen {}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<u32> {
    let paid = wait!("payment", Paid).await?;
    Ok(paid.cents)
}

fn main() {}
