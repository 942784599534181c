// A task may outlive the run of the steps in it.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let id = order.id.clone();
    tokio::spawn(async move { step!("length", id.len()).await });
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(step!("width", move order.id.len()));
    Ok(1)
}

fn main() {}
