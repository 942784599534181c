//! The settings with which a database is opened.

use std::time::Duration;

use sqlx::PgPool;

/// For how long a server that is away is asked again where nothing else is said.
const RETRY_FOR: Duration = Duration::from_secs(10);

/// Settings of a [`Postgres`](crate::store::Postgres) store; see [`Postgres::builder`](crate::store::Postgres::builder).
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `open` is awaited"]
pub struct PostgresBuilder {
    pub(super) source: Source,
    pub(super) schema: String,
    pub(super) max_connections: u32,
    pub(super) retry_for: Duration,
}

/// Where the connections come from.
#[derive(Clone)]
pub(super) enum Source {
    Url(String),
    Pool(PgPool),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Both hold a password.
        f.write_str(match self {
            Self::Url(_) => "Url",
            Self::Pool(_) => "Pool",
        })
    }
}

impl PostgresBuilder {
    pub(super) fn with_url(url: &str) -> Self {
        Self::new(Source::Url(url.to_owned()))
    }

    pub(super) fn with_pool(pool: PgPool) -> Self {
        Self::new(Source::Pool(pool))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            schema: "belts".to_owned(),
            max_connections: 8,
            retry_for: RETRY_FOR,
        }
    }

    /// The schema that holds the tables; `belts` where not said. It is created if it is not there.
    ///
    /// Several stores may live in one database, each in a schema of its own.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// The most connections that the store opens, beside one for listening; 8 where not said.
    ///
    /// A store on a [pool of yours](crate::store::Postgres::with_pool) takes at most half of the pool's connections, and no more than this.
    pub fn max_connections(mut self, number: u32) -> Self {
        self.max_connections = number;
        self
    }

    /// For how long a publish, or whatever else is asked of the store, is sent again while the server is away, before it is an
    /// error; 10 s where not said. What waits behind another write of its kind waits for that one first.
    ///
    /// A worker tries again whatever this says; it is for those who wait for an answer, such as a request that publishes.
    /// Opening a connection may take a second in any case.
    ///
    /// ```no_run
    /// # async fn open() -> belts::Result<()> {
    /// use belts::store::Postgres;
    /// use std::time::Duration;
    /// let store = Postgres::builder("postgres://localhost/app").retry_for(Duration::from_secs(2)).open().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }
}
