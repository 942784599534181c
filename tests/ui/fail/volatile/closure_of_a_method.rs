// A method that calls its closure calls it here.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<Vec<u8>> {
    let numbers: Vec<u8> = order.id.chars().map(|_| fastrand::u8(..)).collect();
    Ok(numbers)
}

fn main() {}
