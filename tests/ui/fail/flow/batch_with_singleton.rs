// The events of a batch share one run.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, batch(size = 10, within = "5s"), singleton(key = |e| &e.account))]
async fn index(changed: Vec<Changed>) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
