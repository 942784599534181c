// What is in a macro is evaluated in the function.
use std::time::SystemTime;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<String> {
    Ok(format!("{} at {:?}", order.id, SystemTime::now()))
}

fn main() {}
