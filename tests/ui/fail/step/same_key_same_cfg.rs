// Places under one `#[cfg]` are in one build.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    #[cfg(debug_assertions)]
    step!("length", order.id.len()).await?;
    #[cfg(debug_assertions)]
    step!("length", order.id.len() + 1).await?;
    Ok(1)
}

fn main() {}
