//! The conformance suite over Redis.

use std::sync::Arc;

use async_trait::async_trait;
use belts::{
    conformance::store::Storage,
    store::{Redis, SharedStore},
};

/// A key prefix of its own on a server that the cases share.
struct UnderPrefix {
    url: String,
    prefix: String,
}

impl UnderPrefix {
    fn new() -> Self {
        let url = std::env::var("BELTS_TEST_REDIS_URL");
        Self {
            url: url.expect("BELTS_TEST_REDIS_URL names a Redis server for tests"),
            prefix: format!("belts-test-{:016x}", fastrand()),
        }
    }
}

/// A number that no other test has.
fn fastrand() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}

#[async_trait]
impl Storage for UnderPrefix {
    async fn open(&self) -> belts::Result<SharedStore> {
        let builder = Redis::builder(&self.url).key_prefix(&self.prefix);
        Ok(Arc::new(builder.open().await?))
    }
}

mod conformance {
    use super::UnderPrefix;
    belts::store_conformance!(UnderPrefix::new());
}
