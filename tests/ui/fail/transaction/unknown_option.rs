// A transaction sends no heartbeats.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<usize> {
    transaction!("debit", async |_tx| { Ok(debit.account.len()) }, stall = "30s").await
}

fn main() {}
