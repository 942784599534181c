// There is no option `name`.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(typ = "ordered", name = "ordered")]
struct Ordered {
    id: String,
}

fn main() {}
