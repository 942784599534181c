// What a generator draws is something else whenever the run resumes.

use belts::Event;
use serde::{Deserialize, Serialize};

mod rand {
    pub fn rng() -> u32 {
        1
    }
    pub use rng as thread_rng;
}
use rand::thread_rng;

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<String> {
    let lot = (rand::rng(), rand::thread_rng(), thread_rng());
    Ok(format!("{}-{lot:?}", order.id))
}

fn main() {}
