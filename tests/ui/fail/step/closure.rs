// A step takes a call, not a closure.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

async fn charge(id: &str) -> Result<usize, std::io::Error> {
    Ok(id.len())
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let one = step!("one", || async { charge(&order.id).await }).await?;
    let two = step!("two", async || charge(&order.id).await).await?;
    Ok(one + two + step!("three", move || order.id.len(), retries = 3).await?)
}

fn main() {}
