// A boxed error goes where its run goes.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> Result<usize, Box<dyn std::error::Error>> {
    Ok(step!("length", order.id.len()).await?)
}

fn main() {}
