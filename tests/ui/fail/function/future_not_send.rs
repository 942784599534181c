// A function may go on in another thread.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let shared = std::rc::Rc::new(1);
    let length = step!("length", order.id.len()).await?;
    Ok(length + *shared)
}

fn main() {}
