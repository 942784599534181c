// Each event of a batch would have a place of its own.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, batch(size = 10, within = "5s"), priority = |e| 60)]
async fn index(changed: Vec<Changed>) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
