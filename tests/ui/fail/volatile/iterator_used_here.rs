// An iterator calls its closures where it is used.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let lots = order.id.chars().map(|_| fastrand::u8(..));
    println!("{}", lots.count());
    Ok(())
}

fn main() {}
