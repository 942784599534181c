// A step is done or not done as a whole.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    step!("outer", async {
        belts::sleep!("nap", "1s").await?;
        step!("inner", order.id.len()).await
    }).await
}

fn main() {}
