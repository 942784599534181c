// What the closure calls is not awaited.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

async fn insert(_: &mut belts::sqlx::Transaction<'_, belts::sqlx::Postgres>, _: &str) -> Result<u64, belts::sqlx::Error> {
    Ok(1)
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<u64> {
    transaction!("debit", async |tx| insert(tx, &debit.account)).await
}

fn main() {}
