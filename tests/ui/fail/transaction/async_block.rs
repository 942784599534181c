// It takes a closure, not a block.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<()> {
    transaction!("debit", async { Ok(debit.account.len()) }).await?;
    Ok(())
}

fn main() {}
