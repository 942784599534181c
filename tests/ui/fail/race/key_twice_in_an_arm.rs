// Each arm has keys of its own, and uses each once; a handler shares those of the function.
use belts::{Event, race, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    race!("decision", {
        block = async {
            step!("score", order.id.len()).await?;
            step!("score", order.id.len()).await
        } => block?,
        other = step!("score", order.id.len()) => {
            let other = other?;
            step!("note", other).await?
        }
    })
    .await?;
    step!("note", 1).await
}

fn main() {}
