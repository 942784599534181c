// One key for two.
use belts::{Event, callback};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Filed {
    cents: u32,
}

#[derive(Serialize, Deserialize)]
enum Decision {
    Approve,
    Reject,
}

#[belts::function(id = "expense", on = Filed)]
async fn expense(filed: Filed) -> belts::Result<()> {
    callback!("approval", Vec<Decision>).await?;
    callback!("approval", Decision).await?;
    Ok(())
}

fn main() {}
