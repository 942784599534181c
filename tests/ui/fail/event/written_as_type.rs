// What serde's attributes make `type` of is a second `type` on the wire.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[serde(tag = "type")]
struct Tagged {
    cents: u32,
}

#[derive(Serialize, Deserialize, Event)]
#[serde(rename_all = "camelCase")]
struct Renamed {
    type_: String,
}

#[derive(Serialize, Deserialize, Event)]
struct Read {
    #[serde(rename(serialize = "kind", deserialize = "type"))]
    kind: String,
}

#[derive(Event)]
#[serde(rename_all_fields = "camelCase")]
enum Both {
    Sorted { type_: String },
}

fn main() {}
