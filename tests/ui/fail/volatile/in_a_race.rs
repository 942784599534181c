// The arms and the handlers of a race are part of the function.
use std::time::{Duration, Instant};

use belts::{Event, race, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<String> {
    race!("first", {
        late = async { tokio::time::sleep(Duration::from_secs(600)).await } => format!("{late:?}"),
        length = step!("length", order.id.len()) => format!("{} {:?}", length?, Instant::now())
    })
    .await
}

fn main() {}
