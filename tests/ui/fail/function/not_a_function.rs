// The attribute goes on a fn.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
struct Process;

fn main() {}
