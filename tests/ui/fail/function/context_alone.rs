// A function takes its event, whether it reads it or not.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(cx: belts::Context) -> belts::Result<usize> {
    step!("length", cx.run_id().len()).await
}

fn main() {}
