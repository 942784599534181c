// A function that is no failure handler wants to hear of cancels.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    order_id: String,
}

#[belts::function(id = "process-order", on = OrderCreated, cancelled = true)]
async fn process_order(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

fn main() {}
