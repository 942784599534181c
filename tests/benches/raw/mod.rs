//! The raw limits: what the same machine does with the same rows and nothing of belts.

use std::time::Duration;

use crate::Outcome;

mod map;
mod postgres;
mod redis;
mod sqlite;

pub(crate) use map::{map_hits, map_inserts};
pub(crate) use postgres::Postgres;
pub(crate) use redis::Redis;
pub(crate) use sqlite::Sqlite;

/// What every store can be measured by.
pub(crate) trait Raw: Send {
    /// How long it takes to write `rows` rows, each durable before the next.
    fn commits(&mut self, rows: usize) -> impl Future<Output = Outcome<Duration>> + Send;

    /// How long it takes to write `rows` rows, `size` at once.
    fn batches(
        &mut self,
        rows: usize,
        size: usize,
    ) -> impl Future<Output = Outcome<Duration>> + Send;
}

/// What can be read whole.
pub(crate) trait Read: Send {
    /// How long it takes to read every row.
    fn read(&mut self) -> impl Future<Output = Outcome<Duration>> + Send;
}
