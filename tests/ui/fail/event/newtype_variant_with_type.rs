// A variant around an event takes its type.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {}

#[derive(Event)]
enum Order {
    #[event(type = "other")]
    Ordered(Ordered),
    Pair(Ordered, Ordered),
}

fn main() {}
