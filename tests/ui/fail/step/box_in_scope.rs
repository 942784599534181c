// The box of a recursive helper goes around the scope.

use belts::{Event, scope, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::steps]
async fn walk(n: usize) -> belts::Result<usize> {
    let here = step!("here", n).await?;
    if n == 0 { Ok(here) } else { scope!("next", Box::pin(walk(n - 1))).await }
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    scope!("walk", walk(order.id.len())).await
}

fn main() {}
