// The output is stored.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

struct Receipt;

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<Receipt> {
    step!("length", order.id.len()).await?;
    Ok(Receipt)
}

fn main() {}
