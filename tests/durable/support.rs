//! Shared by the durability tests.

use std::{collections::BTreeMap, future::IntoFuture, sync::Mutex, time::Duration};

/// What steps did outside of belts, counted by name. A test uses names that no other test has.
static EFFECTS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// Does something outside of belts.
pub fn effect(name: impl Into<String>) {
    *EFFECTS.lock().unwrap().entry(name.into()).or_default() += 1;
}

/// How often it was done.
pub fn effects(name: &str) -> u32 {
    EFFECTS.lock().unwrap().get(name).copied().unwrap_or(0)
}

/// Returns when the condition holds.
///
/// # Panics
/// It does not hold within ten seconds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    within(what, waited).await;
}

/// Waits, but not for ever.
///
/// # Panics
/// It takes longer than ten seconds.
pub async fn within<T>(what: &str, future: impl IntoFuture<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(10), future.into_future()).await {
        Ok(value) => value,
        Err(_) => panic!("not within ten seconds: {what}"),
    }
}
