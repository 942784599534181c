// The mark holds for its own expression.
use std::time::SystemTime;

use belts::{Event, volatile};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let began = volatile!(SystemTime::now());
    println!("{} {:?}", order.id, SystemTime::now().duration_since(began));
    Ok(())
}

fn main() {}
