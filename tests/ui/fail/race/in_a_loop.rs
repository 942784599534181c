// Each race has a key of its own; the keys of its arms are under that.
use belts::{Event, race, sleep, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let mut sum = 0;
    for _ in 0..3 {
        sum += race!("decision", {
            scored = step!("score", order.id.len()) => scored?,
            late = sleep!("late", "1h") => { late?; 0 }
        })
        .await?;
    }
    Ok(sum)
}

fn main() {}
