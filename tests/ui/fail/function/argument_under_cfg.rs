// Attributes see what is written, before `cfg` takes anything away.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered, #[cfg(any())] cx: belts::Context) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
