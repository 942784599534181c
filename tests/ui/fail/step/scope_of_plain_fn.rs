// `scope!` calls a helper marked `#[belts::steps]`.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

async fn helper(id: &str) -> belts::Result<usize> {
    Ok(id.len())
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    belts::scope!("parcel", helper(&order.id)).await
}

fn main() {}
