//! Places on the servers that tests share, for sweeps.

use std::sync::Arc;

use async_trait::async_trait;
use belts::{
    store::{Postgres, Redis, SharedStore},
    testing::Reopen,
};
use belts_suite::servers::{self, Prefix, Schema};

/// A schema of its own.
pub(crate) struct InSchema(Schema);

impl InSchema {
    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }

    pub(crate) fn new() -> Self {
        Self(servers::Postgres::shared().schema())
    }
}

#[async_trait]
impl Reopen for InSchema {
    async fn open(&self) -> belts::Result<SharedStore> {
        let builder = Postgres::builder(self.0.url()).schema(self.0.name());
        Ok(Arc::new(builder.open().await?))
    }
}

/// A prefix of its own.
pub(crate) struct UnderPrefix(Prefix);

impl UnderPrefix {
    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }

    pub(crate) fn new() -> Self {
        Self(servers::Redis::shared().prefix())
    }
}

#[async_trait]
impl Reopen for UnderPrefix {
    async fn open(&self) -> belts::Result<SharedStore> {
        let builder = Redis::builder(self.0.url()).key_prefix(self.0.name());
        Ok(Arc::new(builder.open().await?))
    }
}
