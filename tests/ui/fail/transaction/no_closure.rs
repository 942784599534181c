// It takes a closure that is written in place, not a call.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

async fn insert(_: &str) -> Result<(), belts::sqlx::Error> {
    Ok(())
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<()> {
    transaction!("debit", insert(&debit.account)).await
}

fn main() {}
