//! Functions to watch, and a wait that ends.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex},
    time::Duration,
};

use belts::{Event, step};
pub(crate) use belts_suite::within;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How the function `measured` is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Well,
    /// Its second step fails for good.
    Badly,
    /// Its first attempt fails between the steps.
    AtTheSecondTry,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Measured {
    pub(crate) end: End,
}

#[belts::function(id = "measured", on = Measured, backoff = "1ms..1ms")]
pub(crate) async fn measured(event: Measured, cx: belts::Context) -> belts::Result<u32> {
    let one = step!("one", {
        tracing::info!("in a step");
        1
    })
    .await?;
    if event.end == End::AtTheSecondTry && cx.attempt() == 1 {
        return Err(belts::retry_after(Duration::ZERO, "not yet"));
    }
    step!("two", {
        if event.end == End::Badly {
            Err(belts::terminal("no"))
        } else {
            Ok(one + 1)
        }
    })
    .await
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Held {
    pub(crate) gate: String,
}

/// Waits until its gate is open.
#[belts::function(id = "held", on = Held)]
pub(crate) async fn held(event: Held) -> belts::Result<()> {
    step!("gate", async {
        let _ = gate(&event.gate).subscribe().wait_for(|open| *open).await;
    })
    .await
}

static GATES: LazyLock<Mutex<BTreeMap<String, watch::Sender<bool>>>> =
    LazyLock::new(Mutex::default);

/// The gate of that name.
pub(crate) fn gate(name: &str) -> watch::Sender<bool> {
    GATES
        .lock()
        .unwrap()
        .entry(name.to_owned())
        .or_default()
        .clone()
}

/// Returns when the condition holds.
///
/// # Panics
/// It does not hold within ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            belts_suite::a_moment().await;
        }
    };
    within(what, waited).await;
}
