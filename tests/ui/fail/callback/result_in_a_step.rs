// The result in a step.
use belts::{Event, callback};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Filed {
    cents: u32,
}

#[belts::function(id = "expense", on = Filed)]
async fn expense(_: Filed) -> belts::Result<()> {
    let approval = callback!("approval", bool).await?;
    belts::step!("ask", approval.result()).await?;
    Ok(())
}

fn main() {}
