// Each wait has a key of its own.
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
    let mut all = 0;
    for _ in 0..3 {
        all += wait!("payment", Paid, key = &order.id).await?.cents;
    }
    Ok(all)
}

fn main() {}
