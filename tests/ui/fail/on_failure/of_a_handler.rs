// The failures of a failure handler.
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
async fn order_failed(failed: Failed<OrderCreated>) -> belts::Result<usize> {
    step!("count", failed.error.len()).await
}

#[belts::function(id = "handler-failed", on_failure = order_failed)]
async fn handler_failed(failed: Failed<Failed<OrderCreated>>) -> belts::Result<usize> {
    step!("count", failed.error.len()).await
}

fn main() {}
