// Two limits of one pool.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, concurrency(limit = 20, shared = "api"), concurrency(limit = 5, shared = "api"))]
async fn index(changed: Changed) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
