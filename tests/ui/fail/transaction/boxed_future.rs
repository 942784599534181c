// The closure returns a boxed future.
use belts::{Event, transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

#[belts::function(id = "debit", on = Debit)]
async fn debit(debit: Debit) -> belts::Result<()> {
    transaction!("debit", |tx| Box::pin(async move {
        belts::sqlx::query("INSERT INTO debits VALUES ($1)").bind(&debit.account).execute(&mut **tx).await?;
        Ok(())
    }))
    .await
}

fn main() {}
