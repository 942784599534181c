//! A schema of its own for each test, with a store in it and connections beside the store.

use std::time::Duration;

use belts::{
    Worker, WorkerBuilder,
    store::{Postgres, Store as _},
};
use belts_suite::{
    a_moment,
    servers::{self, Schema},
    within,
};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, error::DatabaseError, postgres::PgPoolOptions};

pub(crate) struct Place {
    pub(crate) store: Postgres,
    pub(crate) pool: PgPool,
    // Dropped last.
    pub(crate) schema: Schema,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let schema = servers::Postgres::shared().schema();
        let options = PgPoolOptions::new()
            .max_connections(40)
            .acquire_timeout(Duration::from_secs(60));
        let pool = options.connect(schema.url()).await.unwrap();
        let store = Self::open(&schema).await;
        Self {
            store,
            pool,
            schema,
        }
    }

    async fn open(schema: &Schema) -> Postgres {
        let builder = Postgres::builder(schema.url()).schema(schema.name());
        builder.open().await.unwrap()
    }

    /// Another process, as it were.
    pub(crate) async fn another(&self) -> Postgres {
        Self::open(&self.schema).await
    }

    /// A worker on the store.
    pub(crate) async fn worker(
        &self,
        functions: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    ) -> Worker {
        let builder = Worker::builder()
            .store(self.store.clone())
            .sweep(Duration::from_millis(200));
        functions(builder).build().await.unwrap()
    }

    /// A worker without functions, which publishes.
    pub(crate) async fn publisher(&self) -> Worker {
        let builder = Worker::builder().store(self.store.clone()).publish_only();
        builder.build().await.unwrap()
    }

    /// Runs statements with the name of the schema for `{s}`.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.replace("{s}", self.schema.name()));
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    /// Waits until a statement that waits for no lock gets those that it asks for: what holds them for a moment is fine.
    pub(crate) async fn are_free(&self, sql: &str) {
        let sql = sql.replace("{s}", self.schema.name());
        let asked = async {
            while let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.clone()))
                .execute(&self.pool)
                .await
            {
                let code = error.as_database_error().and_then(DatabaseError::code);
                assert_eq!(code.as_deref(), Some("55P03"), "{error}");
                a_moment().await;
            }
        };
        within("the locks", asked).await;
    }

    /// The first column of the first row.
    pub(crate) async fn ask<T>(
        &self,
        connection: &mut PgConnection,
        sql: &str,
    ) -> Result<T, sqlx::Error>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let sql = AssertSqlSafe(sql.replace("{s}", self.schema.name()));
        sqlx::query_scalar(sql)
            .persistent(false)
            .fetch_one(connection)
            .await
    }

    /// How many events and runs there are, committed.
    pub(crate) async fn rows(&self) -> (i64, i64) {
        let mut connection = self.pool.acquire().await.unwrap();
        let events = self
            .ask(&mut connection, "SELECT count(*) FROM {s}.events")
            .await
            .unwrap();
        let runs = self
            .ask(&mut connection, "SELECT count(*) FROM {s}.runs")
            .await
            .unwrap();
        (events, runs)
    }

    /// How many runs the store has of a function.
    pub(crate) async fn runs_of(&self, function: &str) -> usize {
        let filter = belts::store::RunFilter::new().with_function(function);
        self.store.list(filter).await.unwrap().runs.len()
    }
}

/// The loop of a worker on a task.
pub(crate) fn looped(worker: &Worker) -> tokio::task::JoinHandle<belts::Result<()>> {
    let worker = worker.clone();
    tokio::spawn(async move { worker.run().await })
}
