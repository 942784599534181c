//! Events and functions that the tests share.

use belts::{Event, step, wait};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "tx-placed", key = order)]
pub(crate) struct Placed {
    pub(crate) order: String,
    pub(crate) cents: u32,
}

pub(crate) fn placed(order: &str) -> Placed {
    let order = order.to_owned();
    Placed { order, cents: 1290 }
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "tx-begun", key = order)]
pub(crate) struct Begun {
    pub(crate) order: String,
}

pub(crate) fn begun(order: &str) -> Begun {
    let order = order.to_owned();
    Begun { order }
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "tx-withdrawn", key = order)]
pub(crate) struct Withdrawn {
    pub(crate) order: String,
}

pub(crate) fn withdrawn(order: &str) -> Withdrawn {
    let order = order.to_owned();
    Withdrawn { order }
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "tx-nobody-wants")]
pub(crate) struct NobodyWants {}

/// Starts for each that is placed.
#[belts::function(id = "tx-receives", on = Placed)]
pub(crate) async fn receives(placed: Placed) -> belts::Result<u32> {
    step!("read", placed.cents).await
}

/// Starts for the dear ones alone.
#[belts::function(id = "tx-dear", on = Placed, when = |placed: &Placed| placed.cents > 5_000)]
pub(crate) async fn dear(placed: Placed) -> belts::Result<u32> {
    Ok(placed.cents)
}

/// Has limits of time.
#[belts::function(id = "tx-limited", on = Placed, start_within = "1h", finish_within = "2h")]
pub(crate) async fn limited(placed: Placed) -> belts::Result<u32> {
    Ok(placed.cents)
}

/// Waits for what is placed.
#[belts::function(id = "tx-waits", on = Begun)]
pub(crate) async fn waits(begun: Begun) -> belts::Result<u32> {
    Ok(wait!("placed", Placed, key = &begun.order).await?.cents)
}

/// Ends when it is withdrawn.
#[belts::function(id = "tx-withdrawable", on = Begun, cancel_on = Withdrawn)]
pub(crate) async fn withdrawable(begun: Begun) -> belts::Result<u32> {
    Ok(wait!("never", Placed, key = &begun.order).await?.cents)
}
