// An event has one type.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered<T> {
    id: T,
}

fn main() {}
