// A `use` of all names tells what a name is.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    use tokio::time::*;
    sleep(Duration::from_secs(order.id.len() as u64)).await;
    Ok(())
}

fn main() {}
