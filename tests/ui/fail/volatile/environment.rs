// A run may resume in a process with another environment.
use std::env;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    Ok(format!("{}-{home}-{:?}", order.id, env::var_os("SHELL")))
}

fn main() {}
