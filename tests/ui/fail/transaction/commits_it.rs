// The transaction is lent, so its end is left to the macro.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<usize> {
    transaction!("debit", async |tx| {
        tx.commit().await?;
        Ok(debit.account.len())
    })
    .await
}

fn main() {}
