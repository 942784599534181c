// A `select!` awaits what a name holds.
use std::{pin::pin, time::Duration};

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let pause = async { tokio::time::sleep(Duration::from_secs(600)).await };
    let mut pause = pin!(pause);
    tokio::select! {
        () = &mut pause => Ok(0),
        length = async { order.id.len() } => Ok(length),
    }
}

fn main() {}
