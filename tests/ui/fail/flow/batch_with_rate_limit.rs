// A batch has one run for what a rate would skip.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, batch(size = 10, within = "5s"), rate_limit(limit = 10, per = "1h"))]
async fn index(changed: Vec<Changed>) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
