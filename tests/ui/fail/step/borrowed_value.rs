// The value of a step is owned.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

fn length(_: &Ordered) -> &usize {
    &5
}

fn owner(order: &Ordered) -> &Ordered {
    order
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let text = step!("text", "text").await?;
    let id = step!("id", order.id.as_str()).await?;
    let length = step!("length", length(&order)).await?;
    let owner = step!("owner", async { owner(&order) }).await?;
    Ok(text.len() + id.len() + *length + owner.id.len())
}

fn main() {}
