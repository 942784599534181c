//! A run knows the build that began it.

use std::sync::Arc;

use belts::{
    Worker,
    store::{Memory, SharedStore},
    testing::{Reopen, SqliteFile},
};

use crate::{
    shop::{self, Settled},
    untouched::{InSchema, UnderPrefix},
};

async fn began_by(place: impl Reopen) {
    let store = place.open().await.unwrap();
    let worker = |build: Option<&'static str>| {
        let builder = Worker::builder()
            .shared_store(Arc::clone(&store))
            .function(shop::refund);
        match build {
            Some(build) => builder.build_id(build),
            None => builder,
        }
    };
    let old = worker(Some("old")).build().await.unwrap();
    let settled = || Settled { id: "s-1".into() };
    shop::refund(settled())
        .run_id("r-1")
        .via(&old)
        .await
        .unwrap();
    // One that waits to be begun, by whoever comes.
    let delayed = shop::refund(settled()).run_id("r-2");
    delayed
        .delay(std::time::Duration::from_millis(1))
        .via(&old)
        .start()
        .await
        .unwrap();
    let new = worker(None).build().await.unwrap();
    belts::run_of(shop::refund, "r-2")
        .via(&new)
        .result()
        .await
        .unwrap();
    let build = async |id: &str| new.runs().get(id).await.unwrap().build;
    assert_eq!(build("r-1").await.as_deref(), Some("old"));
    assert_eq!(
        build("r-2").await.as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn a_run_knows_its_build_in_memory() {
    began_by(Memory::new()).await;
}

#[tokio::test]
async fn a_run_knows_its_build_on_sqlite() {
    began_by(SqliteFile::temporary()).await;
}

#[tokio::test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn a_run_knows_its_build_on_postgres() {
    began_by(InSchema::new()).await;
}

#[tokio::test]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn a_run_knows_its_build_on_redis() {
    began_by(UnderPrefix::new()).await;
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    for wrong in ["", "two\nlines", &"x".repeat(101)] {
        let store: SharedStore = Arc::new(Memory::new());
        let worker = Worker::builder().shared_store(store).build_id(wrong);
        let error = worker.function(shop::refund).build().await.unwrap_err();
        assert!(
            error.to_string().starts_with("`build_id` must have"),
            "{error}"
        );
    }
}
