// A time of tokio means nothing in another process.

use belts::Event;
use serde::{Deserialize, Serialize};

static TIMES: [tokio::time::Instant; 0] = [];

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    tokio::time::sleep_until(TIMES[order.id.len()]).await;
    Ok(())
}

fn main() {}
