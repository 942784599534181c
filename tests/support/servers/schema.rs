//! Schemas on a PostgreSQL server, one for each case.

use std::thread;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::process::random;

/// Runs statements on a connection of their own.
pub(super) async fn sql(url: &str, statements: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// A schema of its own on a server, dropped with this value.
#[derive(Debug)]
pub struct Schema {
    url: String,
    name: String,
}

impl Schema {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            name: format!("test_{:016x}", random()),
        }
    }

    /// Where clients find the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The schema.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // A thread of its own, since this one may belong to a runtime. Who failed to drop it has told of a worse failure.
        let dropped = thread::spawn(move || {
            let statement =
                format!("SET lock_timeout = '5s'; DROP SCHEMA IF EXISTS \"{name}\" CASCADE");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.is_ok_and(|runtime| runtime.block_on(sql(&url, &statement)).is_ok())
        });
        drop(dropped.join());
    }
}
