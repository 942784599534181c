// A random id is another one whenever the run resumes.

use belts::Event;
use serde::{Deserialize, Serialize};

mod uuid {
    pub struct Uuid;
    impl Uuid {
        pub fn new_v4() -> String {
            String::new()
        }
        pub fn now_v7() -> String {
            String::new()
        }
    }
}
use uuid::Uuid;

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<String> {
    let id = Uuid::new_v4();
    Ok(format!("{}-{id}-{}", order.id, uuid::Uuid::now_v7()))
}

fn main() {}
