// A state stands in `belts::State<…>`.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[derive(Clone)]
struct AppState;

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered, _state: AppState) -> belts::Result<usize> {
    step!("length", order.id.len()).await
}

fn main() {}
