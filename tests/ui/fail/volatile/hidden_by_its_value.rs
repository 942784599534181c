// A name is hidden behind its `let`, not in it.
use std::time::SystemTime;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let now = || SystemTime::now();
    let now = now();
    println!("{} {now:?}", order.id);
    Ok(())
}

fn main() {}
