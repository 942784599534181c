// A key in a closure of an iterator names what differs.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let all = order.id.chars().map(|letter| step!("size", move letter.len_utf8()));
    Ok(vec![all].len())
}

fn main() {}
