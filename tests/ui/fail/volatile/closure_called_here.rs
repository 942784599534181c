// A closure is reported where it is called in the function, and not where it is called in a step.
use std::time::SystemTime;

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let now = || SystemTime::now();
    let second = step!("second", now()).await?;
    println!("{} {:?}", order.id, now() < second);
    Ok(())
}

fn main() {}
