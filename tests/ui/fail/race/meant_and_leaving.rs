// `volatile!` is its expression, which leaves a race no more than any other.
use belts::{Event, race, sleep, volatile};
use serde::{Deserialize, Serialize};

async fn fetch(id: &str) -> belts::Result<usize> {
    Ok(id.len())
}

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let score = race!("decision", {
        fetched = volatile!(fetch(&order.id).await) => fetched?,
        fine = volatile!(async { fetch(&order.id).await }) => fine?,
        late = sleep!("late", "1h") => { late?; volatile!(return Ok(0)) }
    })
    .await?;
    Ok(score + 1)
}

fn main() {}
