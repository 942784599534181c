//! The shop as it is before the deploy, and what both sides of it share.

use belts::{Event, race, scope, sleep, start, step, wait};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "contract-order", key = id)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "contract-paid", key = id)]
pub(crate) struct Paid {
    pub(crate) id: String,
    pub(crate) cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "contract-settled", key = id)]
pub(crate) struct Settled {
    pub(crate) id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stock {
    pub(crate) shelf: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) number: String,
    pub(crate) cents: u64,
}

pub(crate) async fn reserve(_: &Order) -> belts::Result<Stock> {
    Ok(Stock { shelf: 7 })
}

pub(crate) async fn release(_: Stock) -> belts::Result<()> {
    Ok(())
}

pub(crate) async fn charge(order: &Order) -> belts::Result<Payment> {
    Ok(Payment {
        number: format!("p-{}", order.id),
        cents: order.cents,
    })
}

#[belts::function(id = "contract-audit", on = Order)]
pub(crate) async fn audit(order: Order) -> belts::Result<u64> {
    step!("count", order.cents).await
}

#[belts::function(id = "contract-refund", on = Settled)]
pub(crate) async fn refund(settled: Settled) -> belts::Result<u64> {
    step!("refund", settled.id.len() as u64).await
}

#[belts::steps]
pub(crate) async fn ship(order: &Order, parcel: u32) -> belts::Result<()> {
    step!("label", format!("{}/{parcel}", order.id)).await?;
    step!("pack", parcel).await?;
    Ok(())
}

/// What runs before the deploy. Its runs have recorded everything but the payment, for which they wait.
#[belts::function(id = "contract-process", on = Order)]
pub(crate) async fn process(order: Order) -> belts::Result<u64> {
    step!(
        "reserve",
        reserve(&order),
        undo = |stock: Stock| release(stock)
    )
    .await?;
    step!("log", ()).await?;
    let payment = step!("charge", charge(&order)).await?;
    for parcel in 0..2 {
        scope!("parcel-{parcel}", ship(&order, parcel)).await?;
    }
    start!("audit", audit(order.clone())).await?;
    let carrier = race!("carrier", {
        fast = step!("ask-fast", 1_u32) => fast?,
        slow = sleep!("patience", "1h") => { slow?; 0 }
    })
    .await?;
    let paid = wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
    let paid = paid.map_or(0, |paid| paid.cents);
    step!("mail", payment.cents + paid + u64::from(carrier)).await
}
