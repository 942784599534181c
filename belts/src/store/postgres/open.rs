//! Opening a database: its connections, and what may be wrong with the URL.

use std::{net::IpAddr, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use super::{
    Postgres,
    builder::{PostgresBuilder, Source},
    connections::{Connections, in_time},
    error::{Fault, Server, cannot_open, config},
    migrate::migrate,
    schema::Schema,
};
use crate::{environment::is_check, error::Result};

/// How long a connection may take, from our own pool.
const ACQUIRE: Duration = Duration::from_secs(5);

impl Postgres {
    /// Connects to a database, and creates the tables where there are none.
    ///
    /// # Errors
    /// As [`PostgresBuilder::open`].
    pub async fn open(url: &str) -> Result<Self> {
        Self::builder(url).open().await
    }

    /// Connects to a database with other settings than the usual ones.
    ///
    /// ```no_run
    /// # async fn open() -> belts::Result<()> {
    /// use belts::store::Postgres;
    /// let store = Postgres::builder("postgres://localhost/app").schema("billing_runs").max_connections(4).open().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(url: &str) -> PostgresBuilder {
        PostgresBuilder::with_url(url)
    }

    /// Uses a pool that is there already, of sqlx 0.9 as belts has it. The store takes connections of it and keeps them.
    ///
    /// ```no_run
    /// # async fn open(pool: sqlx::PgPool) -> belts::Result<()> {
    /// use belts::store::Postgres;
    /// let store = Postgres::with_pool(pool).open().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_pool(pool: PgPool) -> PostgresBuilder {
        PostgresBuilder::with_pool(pool)
    }
}

impl PostgresBuilder {
    /// Connects, and creates or migrates the tables where needed.
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config): the URL, the user or the database is wrong, rights are missing, or the
    /// server or its tables are of a version that this belts does not know. Of kind [`Store`](crate::ErrorKind::Store):
    /// anything that may pass, such as a server that is not there.
    pub async fn open(self) -> Result<Postgres> {
        let schema = Schema::new(&self.schema)?;
        if self.max_connections == 0 {
            return Err(config(
                "`max_connections` of the Postgres store must be at least 1".to_owned(),
            ));
        }
        let (pool, most, mut identity) = match &self.source {
            Source::Url(url) => {
                let (pool, identity) = self.own_pool(url, &schema).await?;
                (pool, self.max_connections, identity)
            }
            Source::Pool(pool) => {
                let most = share_of(pool)?.min(self.max_connections);
                (pool.clone(), most, String::new())
            }
        };
        let options = pool.connect_options();
        let server = Server::of(&options);
        if is_open_to_others(&options) {
            tracing::warn!(
                "connections to {server} do not verify its certificate, so anyone on the network path can read and change \
                 everything. Add `?sslmode=verify-full` to the Postgres URL, and `&sslrootcert=…` if the certificate is not \
                 publicly trusted"
            );
        }
        if let Source::Pool(_) = self.source {
            let fault = |fault| cannot_open(fault, &server, schema.name());
            let mut connection = in_time(pool.acquire()).await.map_err(fault)?;
            connection.close_on_drop();
            check_pooler(&mut connection, &options)
                .await
                .map_err(fault)?;
            identity = migrate(&mut connection, &schema, &server).await?;
        }
        let connections = Connections::new(pool, most, self.retry_for);
        let has_own_pool = matches!(self.source, Source::Url(_));
        Ok(Postgres::new(
            connections,
            (has_own_pool, identity),
            schema,
            server,
            self.retry_for,
        ))
    }

    /// Connects once by hand, since a pool would wait for a server that is not there.
    async fn own_pool(&self, url: &str, schema: &Schema) -> Result<(PgPool, String)> {
        let options: PgConnectOptions = url
            .parse()
            .map_err(|error: sqlx::Error| unreadable(&error))?;
        let options = options.disable_statement_logging();
        let options = match options.get_application_name() {
            None => options.application_name("belts"),
            Some(_) => options,
        };
        let server = Server::of(&options);
        let fault = |fault: Fault| cannot_open(fault, &server, schema.name());
        let mut connection = in_time(PgConnection::connect_with(&options))
            .await
            .map_err(fault)?;
        in_time(read_only(&mut connection)).await.map_err(fault)?;
        check_pooler(&mut connection, &options)
            .await
            .map_err(fault)?;
        let identity = migrate(&mut connection, schema, &server).await?;
        // The tables are there; a server that goes now is noticed by the first who needs it.
        drop(connection.close().await);
        let pool = PgPoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(ACQUIRE)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| Box::pin(read_only(connection)))
            .connect_lazy_with(options);
        Ok((pool, identity))
    }
}

/// A check writes nothing, whatever it does. A setting of the start would not pass a pooler.
async fn read_only(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if is_check() {
        sqlx::raw_sql("SET default_transaction_read_only = on")
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Finds a pooler that gives each transaction another connection: two connections are then the same one to the server. Where
/// there is only one to be had this is left open.
async fn check_pooler(first: &mut PgConnection, options: &PgConnectOptions) -> Result<(), Fault> {
    let Ok(mut second) = in_time(PgConnection::connect_with(options)).await else {
        return Ok(());
    };
    let pids = (process(&mut second).await?, process(first).await?);
    drop(second.close().await);
    if pids.0 == pids.1 {
        return Err(Fault::Pooler);
    }
    Ok(())
}

/// The server's process of a connection, asked so that any pooler lets it through.
async fn process(connection: &mut PgConnection) -> Result<i32, Fault> {
    let answer = sqlx::raw_sql("SELECT pg_catalog.pg_backend_pid()").fetch_one(connection);
    let row = in_time(answer).await?;
    row.try_get(0).map_err(Fault::from)
}

/// Whether somebody on the way to the server could pass for it.
fn is_open_to_others(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address = host.parse::<IpAddr>();
    let is_local = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback());
    !is_local && !matches!(options.get_ssl_mode(), PgSslMode::VerifyFull)
}

/// How many connections of a user's pool we may keep.
fn share_of(pool: &PgPool) -> Result<u32> {
    match pool.options().get_max_connections() / 2 {
        0 => Err(config(
            "the pool of a Postgres store needs at least 2 connections, since the store keeps some of them".to_owned(),
        )),
        half => Ok(half),
    }
}

/// The parser's own words may repeat parts of the URL, so only what it was about is said.
fn unreadable(error: &sqlx::Error) -> crate::Error {
    let what = match error {
        sqlx::Error::Configuration(_) => "cannot be read",
        _ => "is not complete",
    };
    config(format!(
        "the Postgres URL {what}; write `postgres://user:password@host/database`, with special characters such as `/` and `@` \
         in the password as `%2F` and `%40`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_must_show_who_it_is() {
        let open = |url: &str| {
            let options: PgConnectOptions = url.parse().expect("it is a URL of Postgres");
            is_open_to_others(&options)
        };
        for url in [
            "postgres://ada@localhost/app",
            "postgres://ada@127.0.0.1/app",
            "postgres:///app?host=/run/postgresql",
            "postgres://ada@db.example/app?sslmode=verify-full",
        ] {
            assert!(!open(url), "{url}");
        }
        for url in [
            "postgres://ada@db.example/app",
            "postgres://ada@10.0.0.7/app?sslmode=require",
            "postgres://ada@db.example/app?sslmode=verify-ca",
        ] {
            assert!(open(url), "{url}");
        }
    }
}
