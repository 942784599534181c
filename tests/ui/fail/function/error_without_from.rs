// The function's own error takes no `belts::Error`.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> Result<usize, Refused> {
    Ok(step!("length", order.id.len()).await?)
}

fn main() {}
