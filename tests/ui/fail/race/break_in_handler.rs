// `break` and `continue` cannot leave a race; in a loop of the handler they may stand.
use belts::{Event, race};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let mut sum = 0;
    for n in 0..3 {
        race!("decision-{n}", {
            scored = belts::step!("score", order.id.len()) => {
                for m in 0..scored? {
                    if m > 3 { break; }
                    sum += m;
                }
                if sum > 10 { break; }
            }
            late = belts::sleep!("late", "1h") => { late?; continue }
        })
        .await?;
    }
    Ok(sum)
}

fn main() {}
