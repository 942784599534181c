// The name of the option is misspelled.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    order_id: String,
}

#[belts::function(id = "process-order", on = OrderCreated, finish_witin = "2d")]
async fn process(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

fn main() {}
