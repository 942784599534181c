// Whether this is an `Option` cannot be seen; what to write if it is, is said.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    gift: Option<String>,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let gift = order.gift.map(|gift| step!("wrap", move gift.len()));
    match gift {
        Some(gift) => gift.await,
        None => Ok(0),
    }
}

fn main() {}
