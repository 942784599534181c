// What undoes a step is a step already.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "order", on = Ordered)]
async fn order(event: Ordered) -> belts::Result<()> {
    step!("reserve", event.id.len(), undo = |count: usize| async move {
        step!("count", count).await.map(drop)
    })
    .await?;
    Ok(())
}

fn main() {}
