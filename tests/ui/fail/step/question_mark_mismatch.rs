// The function's error takes no `belts::Error`.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> Result<usize, std::fmt::Error> {
    Ok(step!("length", order.id.len()).await?)
}

fn main() {}
