// Each variant has a type of its own.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
enum Order {
    Created { id: String },
    #[event(type = "created")]
    Begun {},
    Begin(Began),
    #[event(type = "began")]
    Start,
}

#[derive(Serialize, Deserialize, Event)]
struct Began {}

fn main() {}
