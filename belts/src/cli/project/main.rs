//! Orders are charged, packed and shipped. Kill this program at any moment and start it again: it goes on where it was, and
//! nobody is charged twice.

use belts::{Context, Event, sleep, step};
use serde::{Deserialize, Serialize};

/// Somebody has ordered something. `publish_order_placed` is generated next to it.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = order)]
pub struct OrderPlaced {
    /// Its number.
    pub order: String,
    /// What it costs.
    pub cents: u64,
}

/// What becomes of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    payment: String,
    parcel: String,
}

#[belts::function(id = "process-order", on = OrderPlaced)]
async fn process_order(placed: OrderPlaced, cx: Context) -> belts::Result<Receipt> {
    let payment = step!("charge", charge(placed.cents, cx.idempotency_key("charge"))).await?;
    sleep!("pack", "10s").await?;
    let parcel = step!("ship", ship(&placed.order)).await?;
    Ok(Receipt { payment, parcel })
}

/// In place of a payment provider. Errors are retried; one that is terminal is not.
async fn charge(cents: u64, idempotency_key: String) -> belts::Result<String> {
    if cents == 0 {
        return Err(belts::terminal("there is nothing to charge"));
    }
    println!("charging {cents} cents under {idempotency_key}");
    tokio::task::yield_now().await; // The request would be here.
    Ok(format!("payment of {cents} cents"))
}

async fn ship(order: &str) -> String {
    println!("shipping {order}");
    tokio::task::yield_now().await; // And the one to the carrier here.
    format!("parcel of {order}")
}

#[tokio::main]
async fn main() -> belts::Result<()> {
    tracing_subscriber::fmt().compact().init();
    // Every function of the program, on 127.0.0.1:8787; the runs are in `belts.db`.
    belts::serve().await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use belts::{
        store::Memory,
        testing::{Harness, sweep},
    };

    use super::*;

    fn placed(cents: u64) -> OrderPlaced {
        let order = "o-1".to_owned();
        OrderPlaced { order, cents }
    }

    #[tokio::test]
    async fn an_order_is_charged_packed_and_shipped() -> belts::Result<()> {
        let harness = Harness::new().await?;
        let start = harness.now();
        let run = harness.run(process_order, placed(1290)).await?;
        run.assert_steps(&["charge", "pack", "ship"]);
        assert_eq!(run.output()?.payment, "payment of 1290 cents");
        // The clock of a harness skips what is slept.
        assert_eq!(harness.now().since(start), Duration::from_secs(10));
        Ok(())
    }

    #[tokio::test]
    async fn what_costs_nothing_is_not_shipped() -> belts::Result<()> {
        let harness = Harness::new().await?;
        let run = harness.run(process_order, placed(0)).await?;
        run.assert_failed().assert_steps(&["charge"]);
        Ok(())
    }

    #[tokio::test]
    async fn no_crash_anywhere_changes_the_outcome() -> belts::Result<()> {
        sweep(Memory::new)
            .function(process_order)
            .event(placed(1290))
            .check(|case| {
                let receipt = case.run.output().expect("a receipt");
                assert_eq!(receipt.parcel, "parcel of o-1");
            })
            .await?;
        Ok(())
    }
}
