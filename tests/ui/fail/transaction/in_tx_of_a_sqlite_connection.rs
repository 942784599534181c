// A connection outside of a transaction is none on SQLite.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

fn publish(connection: &mut belts::rusqlite::Connection) -> belts::Result<()> {
    publish_debit(Debit { account: "ada".into() }).in_tx_sync(connection)?;
    Ok(())
}

fn main() {}
