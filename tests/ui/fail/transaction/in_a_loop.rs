// A key without a capture in a loop.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<()> {
    for _letter in debit.account.chars() {
        transaction!("debit", async |_tx| { Ok(()) }).await?;
    }
    Ok(())
}

fn main() {}
