// An event owns its data.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered<'a> {
    id: &'a str,
}

fn main() {}
