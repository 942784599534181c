// On SQLite the closure is not `async`, and `tx` is of rusqlite.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

fn insert(_: &belts::rusqlite::Transaction<'_>, _: &str) -> belts::rusqlite::Result<usize> {
    Ok(1)
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<usize> {
    transaction!("debit", async |tx| { Ok(insert(tx, &debit.account)?) }).await
}

fn main() {}
