// A random number is another one whenever the run resumes.

use belts::Event;
use serde::{Deserialize, Serialize};

mod rand {
    pub fn random<T: Default>() -> T {
        T::default()
    }
}

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<String> {
    let lot = rand::random::<u64>();
    Ok(format!("{}-{lot}", order.id))
}

fn main() {}
