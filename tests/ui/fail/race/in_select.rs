// The winner of a `select!` is not recorded.
use belts::{Event, sleep, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    tokio::select! {
        score = step!("score", order.id.len()) => score,
        late = sleep!("late", "1h") => late.map(|()| 0),
    }
}

fn main() {}
