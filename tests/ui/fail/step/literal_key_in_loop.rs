// A key in a loop names what differs.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let mut sum = 0;
    for letter in order.id.chars() {
        sum += step!("size", letter.len_utf8()).await?;
    }
    while sum < 10 {
        belts::sleep!("wait", "1s").await?;
        sum += 1;
    }
    Ok(sum)
}

fn main() {}
