// What cannot be seen to be a task is one all the same.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

fn in_background(_: impl Future<Output = belts::Result<usize>> + Send + 'static) {}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let length = async move { step!("length", order.id.len()).await };
    in_background(length);
    Ok(1)
}

fn main() {}
