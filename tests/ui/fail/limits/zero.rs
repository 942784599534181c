// A limit is not over at once.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    order_id: String,
}

#[belts::function(id = "process-order", on = OrderCreated, start_within = "0s")]
async fn process(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

fn main() {}
