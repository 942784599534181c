// The mark is where belts is.
use std::time::SystemTime;

use belts::{self as durable, Event};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered, crate = durable)]
async fn process(order: Ordered) -> belts::Result<()> {
    println!("{} {:?}", order.id, SystemTime::now());
    Ok(())
}

fn main() {}
