//! Push mode with encryption: what is handed on is sealed, or names a run alone.

use std::sync::Arc;

use belts::{
    Keyring,
    store::{Memory, Store as _},
};

use super::{MESSAGES_BY_STEP, as_if_nothing_had_happened, builder_at, by_step};
use crate::qstash::{
    clock::FastClock,
    mail::{Place, SOON},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_run_goes_on_from_delivery_to_delivery() {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let place = Place::new().await;
    let memory = Memory::new();
    let keys = Keyring::new("2026-11", [11; 32]);
    let builder = builder_at(&place.url, &mock, clock, Arc::new(memory.clone()));
    let worker = builder.encryption(keys).build().await.unwrap();
    place.serve_only(worker.router());
    let name = "m4rk3r sealed";
    by_step(name).via(&worker).await.unwrap();
    mock.idle(SOON * 2).await.unwrap();
    let run = as_if_nothing_had_happened(&worker, name).await;
    assert_eq!(mock.counts().deliveries, MESSAGES_BY_STEP);
    for delivery in mock.deliveries() {
        let body = String::from_utf8_lossy(&delivery.body).into_owned();
        assert!(!body.contains("m4rk3r"), "{body}");
    }
    let stored = memory.run(&run.run_id).await.unwrap().unwrap();
    assert!(stored.payload.starts_with(br#"{"belts.sealed":1"#));
    for entry in memory.journal(&run.run_id).await.unwrap() {
        let value = String::from_utf8_lossy(&entry.value).into_owned();
        assert!(
            entry.value.is_empty() || value.starts_with(r#"{"belts.sealed":1"#),
            "{value}"
        );
    }
}
