// `scope!` calls a helper.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::steps]
async fn helper(id: &str) -> belts::Result<usize> {
    step!("length", id.len()).await
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    belts::scope!("parcel", order.id).await;
    belts::scope!("other", helper(&order.id).await);
    belts::scope!("third", helper(&order.id), retries = 3).await
}

fn main() {}
