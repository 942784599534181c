// A sleep has no outcome that could be unknown.
use belts::{Event, sleep};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    order_id: String,
}

#[belts::function(id = "process-order", on = OrderCreated)]
async fn process(_order: OrderCreated) -> belts::Result<()> {
    sleep!("night", "8h", unknown = "fail").await
}

fn main() {}
