// A result is stored.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[derive(Deserialize)]
struct Receipt {
    length: usize,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let receipt = step!("receipt", Receipt { length: order.id.len() }).await?;
    Ok(receipt.length)
}

fn main() {}
