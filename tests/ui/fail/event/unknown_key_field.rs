// The key is a field.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = order_id)]
struct Ordered {
    id: String,
    order_ids: Vec<String>,
}

fn main() {}
