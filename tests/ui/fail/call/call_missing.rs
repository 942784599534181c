// There is nothing to call.
use belts::{Event, call};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct PaymentRequested {
    cents: u32,
}

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    cents: u32,
}

#[belts::function(id = "charge", on = PaymentRequested)]
async fn charge(payment: PaymentRequested) -> belts::Result<u32> {
    Ok(payment.cents)
}

fn payment(cents: u32) -> PaymentRequested {
    PaymentRequested { cents }
}

#[belts::function(id = "order", on = OrderCreated)]
async fn order(order: OrderCreated) -> belts::Result<u32> {
    call!("pay").await
}

fn main() {}
