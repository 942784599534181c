// A rate that is a number.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = account)]
struct Changed {
    account: String,
}

#[belts::function(id = "index", on = Changed, throttle = 60)]
async fn index(changed: Changed) -> belts::Result<()> {
    drop(changed);
    Ok(())
}

fn main() {}
