// A random number is another one whenever the run resumes.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<String> {
    let mut items = vec![1, 2, 3];
    fastrand::shuffle(&mut items);
    Ok(format!("{}-{items:?}-{}", order.id, fastrand::u64(..)))
}

fn main() {}
