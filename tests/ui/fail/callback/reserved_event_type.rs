// A type on the wire that belts has for itself.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(type = "belts.callback")]
struct Forged {}

fn main() {}
