// An `async` block is reported where it is awaited in the function.
use std::time::Duration;

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let pause = async { tokio::time::sleep(Duration::from_secs(600)).await };
    let (length, ()) = tokio::join!(step!("length", order.id.len()), pause);
    length
}

fn main() {}
