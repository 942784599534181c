// All mistakes of a body are reported at once.
use std::time::SystemTime;

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let length = step!("length", order.id.len()).await?;
    let again = step!("length", order.id.len()).await?;
    println!("{length} {again} {:?}", SystemTime::now());
    Ok(())
}

fn main() {}
