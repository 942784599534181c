// The event comes before the state.

use belts::{Event, State, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(State(retries): State<usize>, order: Ordered) -> belts::Result<usize> {
    step!("length", order.id.len() + retries).await
}

fn main() {}
