// The mark takes one expression.

use belts::{Event, volatile};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    volatile!(println!("{}", order.id), println!("again"));
    Ok(())
}

fn main() {}
