//! What the search engine sees: when each file was begun and done, in a file of its own that outlives the workers.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use belts::rusqlite::{Connection, params};

use crate::demo::Outcome;

/// Of an engine that is busy.
const LATENCY: Duration = Duration::from_millis(1);

pub(crate) struct Ledger(Mutex<Connection>);

/// A file that was indexed, in microseconds; one that a kill has cut off has no end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Indexed {
    pub(crate) tenant: u32,
    pub(crate) begun: i64,
    pub(crate) done: Option<i64>,
}

impl Ledger {
    pub(crate) fn open(file: &Path) -> Outcome<Self> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(Duration::from_secs(30))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE IF NOT EXISTS indexed (id INTEGER PRIMARY KEY, tenant INTEGER, file INTEGER, begun INTEGER, done INTEGER)",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Indexes a file, which takes its time.
    #[expect(clippy::disallowed_methods, reason = "it stands for a search engine")]
    pub(crate) async fn index(&self, tenant: u32, file: u32) -> belts::Result<()> {
        let begin = "INSERT INTO indexed (tenant, file, begun) VALUES (?1, ?2, ?3)";
        let id = self.write(begin, [i64::from(tenant), i64::from(file), now()])?;
        tokio::time::sleep(LATENCY).await;
        self.write(
            "UPDATE indexed SET done = ?1 WHERE id = ?2 AND ?3",
            [now(), id, 1],
        )?;
        Ok(())
    }

    fn write(&self, sql: &str, values: [i64; 3]) -> belts::Result<i64> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [a, b, c] = values;
        let written = connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params![a, b, c]));
        written.map_err(belts::Error::from_any)?;
        Ok(connection.last_insert_rowid())
    }

    pub(crate) fn all(&self) -> Outcome<Vec<Indexed>> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare("SELECT tenant, begun, done FROM indexed")?;
        let all = statement.query_map([], |row| {
            Ok(Indexed {
                tenant: row.get(0)?,
                begun: row.get(1)?,
                done: row.get(2)?,
            })
        })?;
        Ok(all.collect::<Result<_, _>>()?)
    }
}

/// The time, in microseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "what the engine sees is no moment of a run"
)]
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// How many of these were under way at once, at most. What was cut off ended with the kill.
pub(crate) fn at_once(indexed: &[Indexed], killed: i64) -> usize {
    let ends = indexed.iter().flat_map(|one| {
        let done = one.done.unwrap_or(killed.max(one.begun));
        [(one.begun, 1), (done, -1)]
    });
    let mut ends: Vec<(i64, i64)> = ends.collect();
    ends.sort_unstable();
    let (mut now, mut most) = (0_i64, 0_i64);
    for (_, change) in ends {
        now += change;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}
