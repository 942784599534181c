// An fn is the same by another name.
use std::time::SystemTime;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let now = SystemTime::now;
    println!("{} {:?}", order.id, now());
    Ok(())
}

fn main() {}
