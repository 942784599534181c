// A function that is only named is called all the same.

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
    let id = Some(order.id).filter(|id| !id.is_empty());
    Ok(id.unwrap_or_else(Uuid::new_v4))
}

fn main() {}
