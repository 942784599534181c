// A text where whether is said.
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

#[belts::function(id = "order-ended", on_failure = process_order, cancelled = "yes")]
async fn order_ended(failed: Failed<OrderCreated>) -> belts::Result<usize> {
    step!("count", failed.error.len()).await
}

fn main() {}
