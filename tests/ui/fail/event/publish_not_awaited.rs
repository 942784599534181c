// Nothing is published, and nothing runs, until it is awaited.
#![deny(unused_must_use)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {
    publish_ordered(Ordered { id: String::new() });
    publish_ordered(Ordered { id: String::new() }).idempotency_key("o-17");
    process(Ordered { id: String::new() });
}
