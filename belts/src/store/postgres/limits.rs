//! Runs whose time is over.

use std::sync::Arc;

use sqlx::postgres::PgBindIterExt as _;

use super::{
    database::Database,
    error::Fault,
    rows::Columns,
    sql::{Parameters, number},
    text::from_column,
};
use crate::store::{Expired, Timestamp, parts::Deadlines};

/// A run whose time will be over.
struct Over {
    number: i64,
    at: Timestamp,
    deadlines: Deadlines,
    has_started: bool,
}

/// One write holds no more locks.
const MOST_EXPIRED: usize = 10_000;

impl Database {
    pub(super) async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired, Fault> {
        let most = most.min(MOST_EXPIRED);
        let mut found = self.next_over(most.max(1)).await?;
        let next = found.first().map(|over| over.at);
        found.truncate(most);
        found.retain(|over| over.at <= now);
        if found.is_empty() {
            return Ok(Expired::default().with_next(next, now));
        }
        let cause = |over: &Over| over.deadlines.cause(over.has_started, now);
        let causes: Vec<Arc<[u8]>> = found.iter().map(cause).collect();
        let expire = async |resent| {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(resent)
                .bind(now.as_millis())
                .bind(found.iter().map(|over| over.number).bind_iter())
                .bind(found.iter().map(|over| over.has_started).bind_iter())
                .bind(causes.iter().map(|cause| &**cause).bind_iter());
            let (ended, told): (Vec<String>, bool) = self.row(&self.sql.expire, parameters).await?;
            Ok((ended, told || resent))
        };
        let (ended, told) = self.insist(expire).await?;
        self.show_ends(told, now).await;
        // Whoever drives one of them hears of it now, and not at its next commit.
        self.wake_if(!ended.is_empty());
        let ended = ended.iter().map(|id| from_column(id)).collect();
        let left = self.next_over(1).await?;
        Ok(Expired::new(ended).with_next(left.first().map(|over| over.at), now))
    }

    /// The runs whose time is over first, each once.
    async fn next_over(&self, most: usize) -> Result<Vec<Over>, Fault> {
        let look = |_| {
            let parameters = Parameters::default().bind(number(most));
            self.rows(&self.sql.next_over, parameters)
        };
        let mut found: Vec<Over> = Vec::new();
        for row in &self.insist(look).await? {
            let columns = Columns(row);
            let deadlines = Deadlines::kept(
                columns.time(2)?,
                columns.maybe_time(3)?,
                columns.maybe_time(4)?,
            );
            let over = Over {
                number: columns.get(0)?,
                at: columns.time(1)?,
                deadlines,
                has_started: columns.get(5)?,
            };
            if found.iter().all(|known| known.number != over.number) {
                found.push(over);
            }
        }
        Ok(found)
    }
}
