// `cancel_on` is not what starts a function.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = order_id)]
struct OrderCreated {
    order_id: String,
}

#[derive(Serialize, Deserialize, Event)]
#[event(key = order_id)]
struct OrderWithdrawn {
    order_id: String,
}

#[belts::function(id = "process-order", cancel_on = OrderWithdrawn)]
async fn process(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

fn main() {}
