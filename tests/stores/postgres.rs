//! What Postgres can do, and how it fails.

use std::sync::Arc;

use async_trait::async_trait;
use belts::{
    conformance::store::Storage,
    store::{Postgres, SharedStore},
};
use belts_suite::servers::{self, Schema};

/// A schema of its own on a server that the cases share.
struct InSchema(Schema);

impl InSchema {
    fn new() -> Self {
        Self(servers::Postgres::shared().schema())
    }
}

#[async_trait]
impl Storage for InSchema {
    async fn open(&self) -> belts::Result<SharedStore> {
        let builder = Postgres::builder(self.0.url()).schema(self.0.name());
        Ok(Arc::new(builder.max_connections(3).open().await?))
    }
}

mod conformance {
    use super::InSchema;
    belts::store_conformance!(
        #[cfg_attr(
            not(has_postgres),
            ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
        )]
        InSchema::new()
    );
}
