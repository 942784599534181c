// A result is read back.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[derive(Serialize)]
struct Receipt {
    length: usize,
}

async fn charge(id: &str) -> belts::Result<Receipt> {
    Ok(Receipt { length: id.len() })
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let receipt = step!("receipt", charge(&order.id)).await?;
    Ok(receipt.length)
}

fn main() {}
