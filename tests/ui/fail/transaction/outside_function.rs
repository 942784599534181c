// It belongs to a function or a helper.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

async fn debit(debit: Debit) -> belts::Result<usize> {
    transaction!("debit", async |_tx| { Ok(debit.account.len()) }).await
}

fn main() {}
