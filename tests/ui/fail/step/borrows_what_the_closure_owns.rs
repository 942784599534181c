// What the closure owns is moved into the step.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

async fn charge(n: usize) -> usize {
    n
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let all: Vec<_> = (0..3).map(|i| step!("all-{i}", charge(i))).collect();
    Ok(all.len() + order.id.len())
}

fn main() {}
