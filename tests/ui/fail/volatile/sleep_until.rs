// A time of tokio means nothing in another process.

use belts::Event;
use serde::{Deserialize, Serialize};

fn opening(_: &Ordered) -> tokio::time::Instant {
    unreachable!()
}

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    tokio::time::sleep_until(opening(&order)).await;
    Ok(())
}

fn main() {}
