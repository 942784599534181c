// The wire keeps `type` for the event.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    r#type: String,
}

#[derive(Serialize, Deserialize, Event)]
struct Cancelled {
    #[serde(rename = "type")]
    kind: String,
}

fn main() {}
