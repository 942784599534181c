// `bail!` and `ensure!` return, which would leave the race alone; in a block of their own they may stand.
use belts::{Event, race};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> anyhow::Result<usize> {
    let score = race!("decision", {
        scored = belts::step!("score", order.id.len()) => {
            let scored = scored?;
            anyhow::ensure!(scored > 1, "too short");
            scored
        }
        checked = async { anyhow::ensure!(order.id.len() > 1, "too short"); Ok(1) } => checked?,
        late = belts::sleep!("late", "1h") => { late?; anyhow::bail!("late") }
    })
    .await?;
    anyhow::ensure!(score > 1, "too short");
    Ok(score)
}

fn main() {}
