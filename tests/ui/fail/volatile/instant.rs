// An `Instant` is another one as well, and cannot be recorded.
use std::time::Instant;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let began = Instant::now();
    println!("{} {:?}", order.id, began.elapsed());
    Ok(())
}

fn main() {}
