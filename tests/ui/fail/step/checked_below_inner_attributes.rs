// Inner attributes keep no check away.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    #![allow(unused_mut)]
    let mut sum = 0;
    for letter in order.id.chars() {
        sum += step!("size", letter.len_utf8()).await?;
    }
    Ok(sum)
}

fn main() {}
