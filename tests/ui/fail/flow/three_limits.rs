// More limits than two.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, concurrency(limit = 1), concurrency(limit = 2, shared = "a"), concurrency(limit = 3))]
async fn index(changed: Changed) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
