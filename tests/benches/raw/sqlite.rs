//! Rows in a SQLite file, and nothing of belts.

use std::{hint::black_box, path::Path, time::Duration};

use rusqlite::{Connection, params};

use crate::{
    Outcome,
    functions::receipt,
    measure::now,
    raw::{Raw, Read},
};

/// The columns that the journal has.
const TABLE: &str = "CREATE TABLE rows (
    run INTEGER NOT NULL, seq INTEGER NOT NULL, path TEXT NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL,
    type_name INTEGER NOT NULL, attempts INTEGER NOT NULL, due_at INTEGER, started_at INTEGER NOT NULL,
    finished_at INTEGER, value BLOB NOT NULL, PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID";
const INSERT: &str = "INSERT INTO rows VALUES (1, ?1, ?2, 0, 0, 1, 1, NULL, ?3, ?3, ?4)";
const SELECT: &str =
    "SELECT seq, path, kind, state, type_name, attempts, due_at, started_at, finished_at, value
    FROM rows WHERE run = 1 ORDER BY seq";

/// A SQLite file with the pragmas of the store and one table like the journal.
pub(crate) struct Sqlite {
    connection: Connection,
    next: u32,
}

impl Sqlite {
    /// A new file; `synchronous` is SQLite's word.
    pub(crate) fn create(path: &Path, synchronous: &str) -> Outcome<Self> {
        let connection = Connection::open(path)?;
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "cache_size", -16_000)?;
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 2_000, |_| Ok(()))?;
        connection
            .pragma_update_and_check(None, "journal_size_limit", 8 * 1024 * 1024, |_| Ok(()))?;
        connection.execute_batch(TABLE)?;
        Ok(Self {
            connection,
            next: 0,
        })
    }

    /// Changes how sure a commit is.
    pub(crate) fn synchronous(&self, word: &str) -> Outcome {
        Ok(self.connection.pragma_update(None, "synchronous", word)?)
    }

    fn insert(&mut self) -> Outcome {
        let seq = self.next;
        self.next += 1;
        let value = serde_json::to_vec(&receipt(seq))?;
        self.connection.prepare_cached(INSERT)?.execute(params![
            seq,
            format!("step-{seq}"),
            1_700_000_000_000_i64,
            value
        ])?;
        Ok(())
    }
}

impl Raw for Sqlite {
    async fn commits(&mut self, rows: usize) -> Outcome<Duration> {
        let start = now();
        for _ in 0..rows {
            self.insert()?;
        }
        Ok(start.elapsed())
    }

    async fn batches(&mut self, rows: usize, size: usize) -> Outcome<Duration> {
        let start = now();
        for _ in 0..rows / size {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            for _ in 0..size {
                self.insert()?;
            }
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(start.elapsed())
    }
}

impl Read for Sqlite {
    async fn read(&mut self) -> Outcome<Duration> {
        let start = now();
        let mut statement = self.connection.prepare_cached(SELECT)?;
        let rows = statement.query_map([], |row| {
            let numbers: [i64; 5] = [
                row.get(0)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ];
            let times: [Option<i64>; 3] = [row.get(6)?, row.get(7)?, row.get(8)?];
            Ok((
                numbers,
                times,
                row.get::<_, String>(1)?,
                row.get::<_, Vec<u8>>(9)?,
            ))
        })?;
        let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        black_box(rows);
        Ok(start.elapsed())
    }
}
