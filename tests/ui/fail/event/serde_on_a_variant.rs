// What serde would do with a variant is not what becomes of an event.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {}

#[derive(Event)]
enum OrderEvent {
    #[serde(rename = "order.cancelled", alias = "order.gone")]
    Cancelled { order_id: String },
    #[serde(skip)]
    Internal,
    #[serde(other)]
    Other,
    #[serde(nonsense)]
    Closed,
    #[serde(rename = "ordered")]
    Ordered(#[serde(default)] Ordered),
}

fn main() {}
