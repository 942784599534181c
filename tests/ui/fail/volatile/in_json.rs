// What is in the arguments of other macros is seen as well.
use belts::Event;
use serde::{Deserialize, Serialize};

mod uuid {
    pub struct Uuid;
    impl Uuid {
        pub fn new_v4() -> String {
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
async fn process(order: Ordered) -> belts::Result<()> {
    let id = Some(order.id).filter(|id| !id.is_empty());
    println!("{}", serde_json::json!({ "id": id.unwrap_or_else(Uuid::new_v4), "lot": fastrand::u8(..) }));
    Ok(())
}

fn main() {}
