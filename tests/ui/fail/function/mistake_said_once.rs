// A mistake is said where it is, and not at each use of the function.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered, retry = 3)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

async fn uses(order: Ordered) -> belts::Result<usize> {
    assert_eq!(belts::id_of(process), "process");
    let process = process(order).run_id("one").await?;
    Ok(process + 1)
}

fn main() {}
