// A limit is a text or a `Duration`.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

const DAYS: u64 = 2;

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    order_id: String,
}

#[belts::function(id = "process-order", on = OrderCreated, finish_within = DAYS)]
async fn process(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

fn main() {}
