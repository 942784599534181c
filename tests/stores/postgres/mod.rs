//! The store in Postgres: the conformance suite, what its servers may be, and what breaks.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use belts::{
    conformance::store::Storage,
    store::{Postgres, PostgresBuilder, SharedStore},
};
use belts_suite::servers::Postgres as Server;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::proxy::Proxy;

mod again;
mod families;
mod limits;
mod liveness;
mod looks;
mod opening;
mod outages;
mod plans;
mod pooler;
mod rolling;
mod runtimes;
mod third;
mod trust;
mod unreadable;
mod waits;

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

mod encrypted {
    use super::InSchema;
    use crate::encrypted::Sealed;
    belts::store_conformance!(
        #[cfg_attr(
            not(has_postgres),
            ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
        )]
        Sealed::new(InSchema::new())
    );
}

/// The version of the tables.
const SCHEMA: i64 = 16;

/// The server that the tests share; we are a superuser of it.
fn url() -> String {
    Server::shared().url().to_owned()
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

    /// SQL with the name of the schema for `{schema}`.
    fn sql(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace("{schema}", &self.0))
    }
}

impl Drop for InSchema {
    fn drop(&mut self) {
        let sql = self.sql("DROP SCHEMA IF EXISTS {schema} CASCADE");
        // What is left in the way of this is left to the end of the server.
        drop(std::thread::spawn(|| blocking(run(sql))).join());
    }
}

#[async_trait]
impl Storage for InSchema {
    async fn open(&self) -> belts::Result<SharedStore> {
        Ok(Arc::new(self.builder().max_connections(3).open().await?))
    }
}

fn blocking<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime can be made").block_on(work)
}

async fn connect() -> PgConnection {
    PgConnection::connect(&url())
        .await
        .expect("the server is there")
}

async fn run(sql: AssertSqlSafe<String>) {
    let done = sqlx::raw_sql(sql).execute(&mut connect().await).await;
    done.expect("the server does what it is told");
}

/// The first column of the first row.
async fn ask<T>(sql: AssertSqlSafe<String>) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let answer = sqlx::query_scalar(sql)
        .fetch_one(&mut connect().await)
        .await;
    answer.expect("the server has an answer")
}

/// A pool whose connections go through a proxy.
fn pool(proxy: &Proxy) -> PgPool {
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let address = proxy.address();
    PgPoolOptions::new()
        .max_connections(8)
        .connect_lazy_with(options.host(&address.ip().to_string()).port(address.port()))
}

/// A proxy before the server.
async fn proxy() -> Proxy {
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let proxy = Proxy::start(options.get_host(), options.get_port()).await;
    proxy.expect("a port is free")
}
