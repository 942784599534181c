// A failure handler that takes the event instead of the failure.
use belts::{Event, Failed, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    order_id: String,
}

#[belts::function(id = "process-order", on = OrderCreated)]
async fn process_order(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

#[belts::function(id = "order-failed", on_failure = process_order)]
async fn order_failed(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

fn main() {}
