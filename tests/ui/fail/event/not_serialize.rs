// An event is written.
use belts::Event;
use serde::Deserialize;

#[derive(Deserialize, Event)]
struct Ordered {
    id: String,
}

fn main() {}
