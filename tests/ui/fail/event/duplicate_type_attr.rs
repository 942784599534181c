// An option is given once.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(type = "ordered")]
#[event(type = "order-created")]
struct Ordered {
    id: String,
}

fn main() {}
