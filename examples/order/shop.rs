//! The shop: its events, and the two functions that subscribe to them.

#![expect(
    clippy::disallowed_methods,
    reason = "the pauses stand for the work of real services"
)]

use std::time::Duration;

use belts::{Context, Event, State, scope, sleep, step};
use serde::{Deserialize, Serialize};
use tokio::time::sleep as pause;

use crate::effects::Effects;

/// A customer has placed an order.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = order_id, validate = has_items)]
pub(crate) struct OrderCreated {
    pub(crate) order_id: String,
    pub(crate) customer: String,
    pub(crate) currency: String,
    pub(crate) items: Vec<Item>,
    pub(crate) parcels: u32,
    pub(crate) payment_token: String,
    pub(crate) warehouse: String,
    /// How often this order's warehouse fails before it responds.
    #[serde(default)]
    pub(crate) warehouse_fails: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gift_note: Option<String>,
}

/// One line of an order; prices are in the currency's smallest unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: u64,
    pub(crate) unit_price: u64,
}

/// Every parcel of an order is under way.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = order_id)]
pub(crate) struct OrderShipped {
    order_id: String,
    total: u64,
}

/// The result of an order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Receipt {
    Shipped {
        total: u64,
        payment: String,
        labels: Vec<String>,
    },
    Declined {
        reason: String,
    },
}

fn has_items(order: &OrderCreated) -> Result<(), &'static str> {
    if order.items.is_empty() {
        Err("an order has at least one item")
    } else {
        Ok(())
    }
}

impl OrderCreated {
    fn total(&self) -> u64 {
        self.items
            .iter()
            .map(|item| item.unit_price * item.quantity)
            .sum()
    }
}

#[belts::function(id = "process-order", on = OrderCreated, concurrency = 24)]
async fn process_order(
    order: OrderCreated,
    State(effects): State<Effects>,
    cx: Context,
) -> belts::Result<Receipt> {
    let shelf = step!(
        "reserve-stock",
        reserve(&order, &effects),
        retries = 5,
        backoff = "20ms..100ms"
    )
    .await?;
    effects.returned(&order.order_id, "reserve-stock");

    let charge = step!(
        "charge-payment",
        charge(&order, cx.idempotency_key("charge"), &effects),
        timeout = "10s"
    )
    .await;
    effects.returned(&order.order_id, "charge-payment");
    let payment = match charge {
        Ok(payment) => payment,
        Err(declined) => {
            step!("release-stock", release(&order, &shelf, &effects)).await?;
            effects.returned(&order.order_id, "release-stock");
            effects.outcome(&order.order_id, "declined");
            return Ok(Receipt::Declined {
                reason: declined.report(),
            });
        }
    };

    sleep!("cool-off", "100ms").await?;

    let mut labels = Vec::new();
    for parcel in 1..=order.parcels {
        labels.push(scope!("parcel-{parcel}", ship(&order, parcel, &effects)).await?);
    }
    let shipped = OrderShipped {
        order_id: order.order_id.clone(),
        total: order.total(),
    };
    step!("announce", publish_order_shipped(shipped.clone())).await?;
    effects.returned(&order.order_id, "announce");
    effects.outcome(&order.order_id, "shipped");
    Ok(Receipt::Shipped {
        total: shipped.total,
        payment,
        labels,
    })
}

/// Packs and labels one parcel; its steps live under the scope that it is called in.
#[belts::steps]
async fn ship(order: &OrderCreated, parcel: u32, effects: &Effects) -> belts::Result<String> {
    let (packed, label) = tokio::try_join!(
        step!("pack", pack(order, parcel, effects)),
        step!("print-label", print_label(order, parcel, effects)),
    )?;
    effects.returned(&order.order_id, &format!("parcel-{parcel}/pack"));
    effects.returned(&order.order_id, &format!("parcel-{parcel}/print-label"));
    debug_assert!(packed > 0, "a parcel holds something");
    Ok(label)
}

#[belts::function(id = "loyalty-points", on = OrderShipped)]
async fn loyalty_points(
    shipped: OrderShipped,
    State(effects): State<Effects>,
) -> belts::Result<u64> {
    let points = step!("credit-points", credit(&shipped, &effects)).await?;
    effects.returned(&shipped.order_id, "credit-points");
    effects.outcome(&shipped.order_id, "credited");
    Ok(points)
}

async fn reserve(order: &OrderCreated, effects: &Effects) -> Result<String, String> {
    pause(Duration::from_millis(4)).await;
    if effects.count_failure(&order.order_id) <= order.warehouse_fails {
        return Err(format!(
            "the warehouse in {} does not answer",
            order.warehouse
        ));
    }
    effects.done(&order.order_id, "reserve-stock");
    Ok(format!("{}-{}", order.warehouse, order.items.len()))
}

async fn charge(
    order: &OrderCreated,
    idempotency_key: String,
    effects: &Effects,
) -> belts::Result<String> {
    pause(Duration::from_millis(8)).await;
    effects.done(&order.order_id, "charge-payment");
    match order.payment_token.as_str() {
        "tok_declined" => Err(belts::terminal("card declined")),
        "tok_insufficient_funds" => Err(belts::terminal("insufficient funds")),
        _ => Ok(format!("pay_{}", &idempotency_key[..12])),
    }
}

async fn release(order: &OrderCreated, shelf: &str, effects: &Effects) -> belts::Result<()> {
    pause(Duration::from_millis(2)).await;
    effects.done(&order.order_id, "release-stock");
    debug_assert!(
        shelf.starts_with(&order.warehouse),
        "the shelf is in the order's warehouse"
    );
    Ok(())
}

async fn pack(order: &OrderCreated, parcel: u32, effects: &Effects) -> usize {
    pause(Duration::from_millis(6)).await;
    effects.done(&order.order_id, &format!("parcel-{parcel}/pack"));
    order.items.len()
}

async fn print_label(order: &OrderCreated, parcel: u32, effects: &Effects) -> String {
    pause(Duration::from_millis(3)).await;
    effects.done(&order.order_id, &format!("parcel-{parcel}/print-label"));
    format!("{}-{parcel}/{}", order.order_id, order.parcels)
}

fn credit(shipped: &OrderShipped, effects: &Effects) -> u64 {
    effects.done(&shipped.order_id, "credit-points");
    shipped.total / 100
}
