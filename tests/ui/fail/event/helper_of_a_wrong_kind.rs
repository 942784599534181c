// `publish` names the helper, or says that there is none.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {}

#[derive(Event)]
enum OrderEvent {
    #[event(publish = "publish_cancelled")]
    Cancelled { order_id: String },
    #[event(publish = true)]
    Closed,
    #[event(publish = publish_it)]
    Ordered(Ordered),
}

fn main() {}
