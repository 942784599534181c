// An event is read back.
use belts::Event;
use serde::Serialize;

#[derive(Serialize, Event)]
struct Ordered {
    id: String,
}

fn main() {}
