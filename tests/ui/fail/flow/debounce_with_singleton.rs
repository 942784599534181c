// The last event would be skipped while a run is live.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, debounce(period = "5s"), singleton(then = "skip"))]
async fn index(changed: Changed) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
