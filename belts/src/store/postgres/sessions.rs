//! The sessions that a batch speaks for, each once, with the latest time that it says.

use sqlx::postgres::PgBindIterExt as _;

use super::sql::Parameters;
use crate::store::{Timestamp, WorkerId};

/// Mostly one: the worker of this process.
#[derive(Debug, Default)]
pub(super) struct Sessions(Vec<(WorkerId, Timestamp)>);

impl Sessions {
    pub(super) fn add(&mut self, worker: WorkerId, now: Timestamp) {
        match self.0.iter_mut().find(|(known, _)| *known == worker) {
            Some((_, latest)) => *latest = now.max(*latest),
            None => self.0.push((worker, now)),
        }
    }

    /// Binds two arrays: the sessions and the times.
    pub(super) fn bind(&self, parameters: Parameters) -> Parameters {
        parameters
            .bind(self.0.iter().map(|(worker, _)| worker.0).bind_iter())
            .bind(self.0.iter().map(|(_, now)| now.as_millis()).bind_iter())
    }
}
