// One event of several has a key of another type.
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

#[derive(Serialize, Deserialize, Event)]
#[event(key = customer)]
struct CustomerLeft {
    customer: u64,
}

#[derive(Event)]
enum Withdrawn {
    Order(OrderWithdrawn),
    Customer(CustomerLeft),
}

#[belts::function(id = "process-order", on = OrderCreated, cancel_on = Withdrawn)]
async fn process(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

fn main() {}
