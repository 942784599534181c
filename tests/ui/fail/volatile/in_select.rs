// A sleep in a `select!` begins anew whenever the run resumes.
use std::time::Duration;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(600)) => Ok(0),
        length = async { order.id.len() } => Ok(length),
    }
}

fn main() {}
