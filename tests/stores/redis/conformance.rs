//! The conformance suite over Redis.

use std::sync::Arc;

use async_trait::async_trait;
use belts::{
    conformance::store::Storage,
    store::{Redis, SharedStore},
};
use belts_suite::servers::{self, Prefix};

/// A prefix of its own on a server that the cases share.
struct UnderPrefix(Prefix);

impl UnderPrefix {
    fn new() -> Self {
        Self(servers::Redis::shared().prefix())
    }
}

#[async_trait]
impl Storage for UnderPrefix {
    async fn open(&self) -> belts::Result<SharedStore> {
        let builder = Redis::builder(self.0.url()).key_prefix(self.0.name());
        Ok(Arc::new(builder.open().await?))
    }
}

mod encrypted {
    use super::UnderPrefix;
    use crate::encrypted::Sealed;
    belts::store_conformance!(
        #[cfg_attr(
            not(has_redis),
            ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
        )]
        Sealed::new(UnderPrefix::new())
    );
}

belts::store_conformance!(
    #[cfg_attr(
        not(has_redis),
        ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
    )]
    UnderPrefix::new()
);
