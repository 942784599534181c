// A type has at least one character.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(type = "")]
struct Ordered {
    id: String,
}

#[derive(Serialize, Deserialize, Event)]
#[event(type = "order created")]
struct Created {}

fn main() {}
