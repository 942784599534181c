// The arguments of a helper are evaluated in the function.
use std::time::{Duration, SystemTime};

use belts::{Event, scope};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<Duration> {
    scope!("age", age(&order, SystemTime::now())).await
}

#[belts::steps]
async fn age(order: &Ordered, time: SystemTime) -> belts::Result<Duration> {
    println!("{}", order.id);
    Ok(time.elapsed().unwrap_or_default())
}

fn main() {}
