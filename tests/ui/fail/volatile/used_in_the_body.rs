// A `use` in the body tells what a name is.
use std::time::Duration;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    use tokio::time::{self as clock, sleep as pause};
    pause(Duration::from_secs(order.id.len() as u64)).await;
    clock::sleep(Duration::from_secs(1)).await;
    Ok(())
}

fn main() {}
