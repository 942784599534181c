// The clocks of chrono, jiff and time are clocks like any other.

use belts::Event;
use serde::{Deserialize, Serialize};

mod chrono {
    pub struct Utc;
    impl Utc {
        pub fn now() -> u64 {
            1
        }
    }
}
use chrono::Utc as Local;
mod jiff {
    pub use crate::chrono::Utc as Zoned;
}
use jiff::Zoned as Timestamp;
struct OffsetDateTime;
impl OffsetDateTime {
    fn now_utc() -> u64 {
        1
    }
}

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    println!("{}", order.id);
    println!("{}", chrono::Utc::now() + Local::now());
    println!("{}", jiff::Zoned::now() + Timestamp::now());
    println!("{}", OffsetDateTime::now_utc());
    Ok(())
}

fn main() {}
