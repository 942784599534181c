// A value in place of the event's type.
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
    let paid = wait!("payment", Paid { order: order.id.clone(), cents: 0 }).await?;
    Ok(0)
}

fn main() {}
