// Every option of a function, by literals and by expressions; context, patterns and attributes.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]
//! Docs.

use std::time::Duration;

use belts::{Backoff, Context, Event, step};
use serde::{Deserialize, Serialize};

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "shop.ordered", key = id, validate = positive)]
pub struct Ordered {
    /// Its id.
    pub id: String,
    /// Its worth.
    pub cents: i64,
}

fn positive(ordered: &Ordered) -> Result<(), &'static str> {
    if ordered.cents > 0 { Ok(()) } else { Err("cents must be positive") }
}

const RETRIES: u32 = 4;

/// By literals.
#[belts::function(
    id = "shop/by-literals_1.0",
    on = Ordered,
    when = |ordered| ordered.cents > 100,
    retries = 3,
    backoff = "1s..60s",
    timeout = "30s",
    concurrency = 4,
    max_steps = 500,
    continuation = "per-step",
)]
pub async fn by_literals(Ordered { id, cents }: Ordered, cx: Context) -> belts::Result<i64> {
    let _ = cx;
    step!("length", id.len(), retries = 1, stall = "30s").await?;
    Ok(cents)
}

fn wanted(ordered: &Ordered) -> bool {
    ordered.id.starts_with('o')
}

/// By expressions.
#[belts::function(
    id = "by-expressions",
    on = [Ordered],
    when = wanted,
    retries = RETRIES,
    backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(2) },
    timeout = Duration::from_secs(5),
    concurrency = 2 * 2,
    max_steps = RETRIES * 100,
    continuation = "inline"
)]
#[allow(clippy::let_unit_value)]
pub async fn by_expressions(mut ordered: Ordered) -> anyhow::Result<()> {
    ordered.cents += 1;
    step!("check", ordered.cents, stall = Duration::from_secs(5)).await?;
    Ok(())
}

/// The parameter has the function's name.
#[belts::function(id = "same-name", on = Ordered)]
pub async fn same_name(same_name: Ordered) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    step!("check", same_name.cents).await?;
    Ok(())
}

fn main() {
    assert_eq!(<Ordered as Event>::TYPE, "shop.ordered");
    let _ = (publish_ordered, belts::id_of(by_literals), belts::id_of(by_expressions), belts::id_of(same_name));
}
