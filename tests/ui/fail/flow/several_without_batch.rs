// A function that takes several events without saying how many.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, retries = 3)]
async fn index(changed: Vec<Changed>) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
