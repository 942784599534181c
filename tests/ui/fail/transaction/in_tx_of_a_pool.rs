// A pool is no transaction: it would publish on whatever connection it has.
use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Debit {
    account: String,
}

async fn publish(pool: &belts::sqlx::PgPool) -> belts::Result<()> {
    publish_debit(Debit { account: "ada".into() }).in_tx(pool).await?;
    Ok(())
}

fn main() {}
