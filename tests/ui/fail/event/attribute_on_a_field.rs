// `#[event(…)]` belongs on the struct or the variant.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    #[event(key)]
    order_id: String,
    #[event(type = "cents")]
    cents: u32,
}

#[derive(Event)]
enum OrderEvent {
    Ordered(#[event(key = order_id)] Ordered),
    Cancelled {
        #[event(key)]
        order_id: String,
    },
}

fn main() {}
