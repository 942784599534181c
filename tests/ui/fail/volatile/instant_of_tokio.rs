// The clock of tokio is a clock like any other.

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let began = tokio::time::Instant::now();
    println!("{} {:?}", order.id, began.elapsed());
    Ok(())
}

fn main() {}
