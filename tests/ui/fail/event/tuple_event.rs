// An event is a JSON object.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered(String);

#[derive(Serialize, Deserialize, Event)]
struct Ping;

fn main() {}
