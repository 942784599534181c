// The time is another one whenever the run resumes.
use std::time::{SystemTime, UNIX_EPOCH};

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let age = SystemTime::now().duration_since(UNIX_EPOCH);
    println!("{} {age:?}", order.id);
    Ok(())
}

fn main() {}
