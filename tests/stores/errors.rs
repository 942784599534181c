//! What a store keeps of an error that comes back typed, read by another client of it.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::Arc;

use belts::{
    Error, Event, Worker, codec, step,
    store::{Memory, RunFilter, RunStatus, SharedStore},
};
use belts_suite::servers;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
struct Weighed {
    grams: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{grams} g are too many")]
struct TooHeavy {
    grams: u32,
    /// More than a double holds exactly.
    ticket: u64,
}

#[belts::function(id = "accept", on = Weighed, retries = 0)]
async fn accept(weighed: Weighed) -> belts::Result<()> {
    let ticket = u64::MAX - 1;
    let grams = weighed.grams;
    let refused = || Err::<(), _>(TooHeavy { grams, ticket });
    step!("weigh", refused().map_err(Error::from_value), retries = 0).await
}

fn is_kept(failure: Option<codec::Failure>) {
    let value = failure.unwrap().value.unwrap();
    let json = r#"{"grams":5000,"ticket":18446744073709551614}"#;
    assert_eq!((&*value.type_name, value.json.get()), ("TooHeavy", json));
}

async fn a_typed_error_is_kept([writes, reads]: [SharedStore; 2]) {
    let builder = Worker::builder().shared_store(writes).function(accept);
    let worker = builder.build().await.unwrap();
    let execute = worker.execute(Weighed { grams: 5000 }).run_id("heavy");
    assert_eq!(execute.await.unwrap().runs[0].status, RunStatus::Failed);

    is_kept(reads.run("heavy").await.unwrap().unwrap().failure());
    is_kept(reads.journal("heavy").await.unwrap()[0].failure());
    let page = reads.list(RunFilter::default()).await.unwrap();
    is_kept(page.runs[0].failure());

    let builder = Worker::builder().shared_store(reads).function(accept);
    let another = builder.build().await.unwrap();
    let call = accept(Weighed { grams: 5000 })
        .run_id("heavy")
        .via(&another);
    let error = call.await.unwrap_err();
    let (grams, ticket) = (5000, u64::MAX - 1);
    assert_eq!(error.value(), Some(TooHeavy { grams, ticket }));
}

/// Two clients of the store at a URL.
async fn two(url: &str) -> [SharedStore; 2] {
    let open = || async {
        let builder = Worker::builder().store_url(url).publish_only();
        Arc::clone(builder.build().await.unwrap().store())
    };
    [open().await, open().await]
}

#[tokio::test]
async fn a_typed_error_is_kept_in_memory() {
    let store: SharedStore = Arc::new(Memory::new());
    a_typed_error_is_kept([store.clone(), store]).await;
}

#[tokio::test]
async fn a_typed_error_is_kept_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("belts.db").display());
    a_typed_error_is_kept(two(&url).await).await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn a_typed_error_is_kept_on_postgres() {
    let schema = servers::Postgres::shared().schema();
    let url = format!("{}?schema={}", schema.url(), schema.name());
    a_typed_error_is_kept(two(&url).await).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn a_typed_error_is_kept_on_redis() {
    let prefix = servers::Redis::shared().prefix();
    let url = format!("{}?key_prefix={}", prefix.url(), prefix.name());
    a_typed_error_is_kept(two(&url).await).await;
}
