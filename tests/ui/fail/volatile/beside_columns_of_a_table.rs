// A `use` of columns hides no clock.
use belts::Event;
use serde::{Deserialize, Serialize};

mod schema {
    pub mod dsl {
        pub const CENTS: &str = "cents";
    }
}
mod chrono {
    pub struct Utc;
    impl Utc {
        pub fn now() -> u64 {
            1
        }
    }
}
use chrono::Utc;

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    use schema::dsl::*;
    println!("{} {CENTS} {}", order.id, Utc::now());
    Ok(())
}

fn main() {}
