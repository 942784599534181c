//! Rows in a Postgres table, and nothing of belts.

use std::{hint::black_box, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    Outcome,
    functions::receipt,
    measure::now,
    place::Place,
    raw::{Raw, Read},
};

/// The columns that the journal has.
const TABLE: &str = "CREATE TABLE raw_rows (
    run BIGINT NOT NULL, seq INT NOT NULL, path TEXT COLLATE \"C\" NOT NULL, kind TEXT COLLATE \"C\" NOT NULL,
    state TEXT COLLATE \"C\" NOT NULL, type_name TEXT COLLATE \"C\" NOT NULL, attempts BIGINT NOT NULL, due_at BIGINT,
    started_at BIGINT NOT NULL, finished_at BIGINT, value BYTEA NOT NULL, PRIMARY KEY (run, seq)
)";
const INSERT: &str =
    "INSERT INTO raw_rows VALUES (1, $1, $2, 'step', 'completed', 'Receipt', 1, NULL, $3, $3, $4)";
const INSERT_MANY: &str =
    "INSERT INTO raw_rows SELECT 1, seq, path, 'step', 'completed', 'Receipt', 1, NULL, $4, $4, value
    FROM UNNEST($1::INT[], $2::TEXT[], $3::BYTEA[]) AS rows (seq, path, value)";
const SELECT: &str =
    "SELECT seq, path, kind, state, type_name, attempts, due_at, started_at, finished_at, value
    FROM raw_rows WHERE run = 1 ORDER BY seq";
const TIME: i64 = 1_700_000_000_000;

/// A connection, and one table like the journal in a schema of its own.
pub(crate) struct Postgres {
    connection: PgConnection,
    next: i32,
}

type Row = (
    i32,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    i64,
    Option<i64>,
    Vec<u8>,
);

impl Postgres {
    pub(crate) async fn create(place: &Place) -> Outcome<Self> {
        let mut connection = PgConnection::connect(place.server()).await?;
        let schema = place.name();
        let statements = format!(
            "CREATE SCHEMA IF NOT EXISTS \"{schema}\"; SET search_path TO \"{schema}\"; {TABLE}"
        );
        // The name is one that we made.
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut connection)
            .await?;
        Ok(Self {
            connection,
            next: 0,
        })
    }

    fn row(&mut self) -> Outcome<(i32, String, Vec<u8>)> {
        let seq = self.next;
        self.next += 1;
        let value = serde_json::to_vec(&receipt(u32::try_from(seq)?))?;
        Ok((seq, format!("step-{seq}"), value))
    }
}

impl Raw for Postgres {
    async fn commits(&mut self, rows: usize) -> Outcome<Duration> {
        let start = now();
        for _ in 0..rows {
            let (seq, path, value) = self.row()?;
            let insert = sqlx::query(INSERT)
                .bind(seq)
                .bind(path)
                .bind(TIME)
                .bind(value);
            insert.execute(&mut self.connection).await?;
        }
        Ok(start.elapsed())
    }

    async fn batches(&mut self, rows: usize, size: usize) -> Outcome<Duration> {
        let start = now();
        for _ in 0..rows / size {
            let (mut seqs, mut paths, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..size {
                let (seq, path, value) = self.row()?;
                seqs.push(seq);
                paths.push(path);
                values.push(value);
            }
            let insert = sqlx::query(INSERT_MANY)
                .bind(seqs)
                .bind(paths)
                .bind(values)
                .bind(TIME);
            insert.execute(&mut self.connection).await?;
        }
        Ok(start.elapsed())
    }
}

impl Read for Postgres {
    async fn read(&mut self) -> Outcome<Duration> {
        let start = now();
        let rows: Vec<Row> = sqlx::query_as(SELECT)
            .fetch_all(&mut self.connection)
            .await?;
        black_box(rows);
        Ok(start.elapsed())
    }
}
