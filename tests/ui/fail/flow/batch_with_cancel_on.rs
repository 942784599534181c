// A batch has events of several keys.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, batch(size = 10, within = "5s"), cancel_on = Changed)]
async fn index(changed: Vec<Changed>) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
