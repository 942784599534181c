//! What Postgres can do, and how it fails; on the server that `BELTS_TEST_POSTGRES_URL` names.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use belts::{
    conformance::store::Storage,
    store::{Postgres, PostgresBuilder, SharedStore},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

fn url() -> String {
    std::env::var("BELTS_TEST_POSTGRES_URL").expect("`BELTS_TEST_POSTGRES_URL` names a server")
}

/// A schema of its own, dropped at the end.
struct InSchema(String);

impl InSchema {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!("belts_{}_{number}", std::process::id()))
    }

    fn builder(&self) -> PostgresBuilder {
        Postgres::builder(&url()).schema(&self.0)
    }
}

impl Drop for InSchema {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.0);
        let dropping = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let drop_schema = async {
                let mut connection = PgConnection::connect(&url()).await?;
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&mut connection)
                    .await
            };
            runtime.map(|runtime| runtime.block_on(drop_schema))
        });
        // What is left in the way of this is left to the end of the server.
        drop(dropping.join());
    }
}

#[async_trait]
impl Storage for InSchema {
    async fn open(&self) -> belts::Result<SharedStore> {
        Ok(Arc::new(self.builder().max_connections(3).open().await?))
    }
}

mod conformance {
    use super::InSchema;
    belts::store_conformance!(InSchema::new());
}
