// A handler for two functions whose type includes the event of one only.
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

#[derive(Serialize, Deserialize, Event)]
struct OrderShipped {
    order_id: String,
}

#[belts::function(id = "ship-order", on = OrderShipped)]
async fn ship_order(order: OrderShipped) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

#[belts::function(id = "order-failed", on_failure = [process_order, ship_order])]
async fn order_failed(failed: Failed<OrderCreated>) -> belts::Result<usize> {
    step!("count", failed.error.len()).await
}

fn main() {}
