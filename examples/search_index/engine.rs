//! What stands for the search engine and the statistics: tables in a file of its own, which outlives the workers.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use belts::rusqlite::{self, Connection, params};

use crate::{demo::Outcome, documents::DocumentChanged};

pub(crate) struct Engine(Mutex<Connection>);

/// What the engine has at the end.
pub(crate) struct Contents {
    /// The version of each document.
    pub(crate) versions: Vec<(u32, u32)>,
    /// How many updates were counted, each once.
    pub(crate) counted: u32,
    pub(crate) writes: u32,
}

impl Engine {
    pub(crate) fn open(file: &Path) -> Outcome<Self> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(Duration::from_secs(30))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE IF NOT EXISTS documents (document INTEGER PRIMARY KEY, version INTEGER NOT NULL);
             CREATE TABLE IF NOT EXISTS updates (document INTEGER, version INTEGER, PRIMARY KEY (document, version));
             CREATE TABLE IF NOT EXISTS writes (id INTEGER PRIMARY KEY)",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Puts a version of a document in place of an earlier one. A write that a crash has held up takes nothing back: engines call this
    /// an external version.
    #[expect(clippy::unused_async, reason = "as a request to an engine is")]
    pub(crate) async fn index(&self, changed: &DocumentChanged) -> belts::Result<()> {
        self.write(std::slice::from_ref(changed), |connection, one| {
            let sql = "INSERT INTO documents (document, version) VALUES (?1, ?2)
                       ON CONFLICT DO UPDATE SET version = max(version, ?2)";
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(params![one.document, one.version])
        })
    }

    /// Counts each of these, once however often it is told.
    #[expect(clippy::unused_async, reason = "as a request to a database is")]
    pub(crate) async fn count(&self, changes: &[DocumentChanged]) -> belts::Result<()> {
        self.write(changes, |connection, one| {
            let sql = "INSERT OR IGNORE INTO updates (document, version) VALUES (?1, ?2)";
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(params![one.document, one.version])
        })
    }

    /// One write, whatever is in it.
    fn write(
        &self,
        changes: &[DocumentChanged],
        each: impl Fn(&Connection, &DocumentChanged) -> rusqlite::Result<usize>,
    ) -> belts::Result<()> {
        let mut connection = self.connection();
        let written = (|| {
            let tx = connection.transaction()?;
            for one in changes {
                each(&tx, one)?;
            }
            tx.execute("INSERT INTO writes DEFAULT VALUES", [])?;
            tx.commit()
        })();
        written.map_err(belts::Error::from_any)
    }

    pub(crate) fn contents(&self) -> Outcome<Contents> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT document, version FROM documents")?;
        let versions = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let count = |table| {
            let sql = format!("SELECT count(*) FROM {table}");
            connection.query_row(&sql, [], |row| row.get(0))
        };
        Ok(Contents {
            versions: versions.collect::<Result<_, _>>()?,
            counted: count("updates")?,
            writes: count("writes")?,
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
