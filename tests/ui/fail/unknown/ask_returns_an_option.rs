// What is asked must be able to say that it does not know.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    order_id: String,
}

async fn charge(id: &str) -> belts::Result<u32> {
    Ok(u32::try_from(id.len()).unwrap_or(0))
}

async fn find_charge(_id: &str) -> belts::Result<Option<u32>> {
    Ok(None)
}

#[belts::function(id = "process-order", on = OrderCreated)]
async fn process(order: OrderCreated) -> belts::Result<u32> {
    let _ = find_charge(&order.order_id);
    step!("charge", charge(&order.order_id), unknown = ask(charge(&order.order_id))).await
}

fn main() {}
