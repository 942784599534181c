// Two transactions with one key.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<usize> {
    transaction!("debit", async |_tx| { Ok(()) }).await?;
    transaction!("debit", async |_tx| { Ok(debit.account.len()) }).await
}

fn main() {}
