// A step in a transaction is a step in a step.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<usize> {
    transaction!("debit", async |_tx| {
        let length = belts::step!("length", debit.account.len()).await?;
        Ok(length)
    })
    .await
}

fn main() {}
