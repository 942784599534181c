// The event comes first.

use belts::{Context, Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(cx: Context, order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len() + cx.run_id().len()).await
}

fn main() {}
