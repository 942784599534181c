// A key that is not written here.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, throttle(limit = 1, per = "1s", key = account_of))]
async fn index(changed: Changed) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
