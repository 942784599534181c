// A check returns a `Result`.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(validate = positive)]
struct Ordered {
    cents: i64,
}

fn positive(ordered: &Ordered) -> bool {
    ordered.cents > 0
}

fn main() {}
