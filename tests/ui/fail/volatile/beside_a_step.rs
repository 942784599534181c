// What is joined with a step is not in it.
use std::time::Duration;

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let pause = Duration::from_secs(600);
    let (length, ()) = tokio::join!(step!("length", order.id.len()), tokio::time::sleep(pause));
    length
}

fn main() {}
