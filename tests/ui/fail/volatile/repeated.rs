// What repeats a closure calls it.
use std::iter::repeat_with;

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let code: String = repeat_with(fastrand::alphanumeric).take(6).collect();
    let sure: [u8; 2] = std::array::from_fn(|_| fastrand::u8(..));
    println!("{} {code} {sure:?}", order.id);
    Ok(())
}

fn main() {}
