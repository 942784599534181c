// Each attempt gets a clone of a state.

use belts::{Event, State, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

struct AppState;

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered, State(_state): State<AppState>) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
