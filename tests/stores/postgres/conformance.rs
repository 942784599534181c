//! The conformance suite, each case in a schema of its own.

use std::sync::Arc;

use async_trait::async_trait;
use belts::{
    conformance::store::Storage,
    store::{Postgres, SharedStore},
};
use belts_suite::servers::{self, Schema};

struct InSchema(Schema);

#[async_trait]
impl Storage for InSchema {
    async fn open(&self) -> belts::Result<SharedStore> {
        let builder = Postgres::builder(self.0.url()).schema(self.0.name());
        Ok(Arc::new(builder.max_connections(3).open().await?))
    }
}

belts::store_conformance!(
    #[cfg_attr(
        not(has_postgres),
        ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
    )]
    InSchema(servers::Postgres::shared().schema())
);
