// What is shuffled in a step is not shuffled when the run resumes.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let items = &mut [order.id.len(), 2, 3];
    fastrand::shuffle(items);
    println!("{:?}", fastrand::choice(items.iter()));
    Ok(())
}

fn main() {}
