// A thread that sleeps holds up other runs, and begins anew whenever the run resumes.
use std::time::Duration;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    std::thread::sleep(Duration::from_secs(order.id.len() as u64));
    Ok(())
}

fn main() {}
