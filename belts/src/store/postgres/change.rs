//! What people do to runs: cancel, rerun, purge.

use super::{claim::number, database::Database, error::Fault, sql::Parameters, text::to_column};
use crate::store::{RunRecord, RunStatus, Timestamp};

impl Database {
    pub(super) async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool, Fault> {
        let is_ours =
            |run: &RunRecord| run.status == RunStatus::Cancelled && run.finished_at == Some(now);
        let cancel = async |resent| {
            let parameters = Parameters::default()
                .bind(to_column(run))
                .bind(now.as_millis());
            let cancelled = !self.rows(&self.sql.cancel, parameters).await?.is_empty();
            Ok(cancelled || resent && self.run(run).await?.as_ref().is_some_and(is_ours))
        };
        self.insist(cancel).await
    }

    pub(super) async fn rerun(
        &self,
        run: &str,
        from: Option<u32>,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let rerun = async |resent| {
            let parameters = Parameters::default()
                .bind(to_column(run))
                .bind(now.as_millis())
                .bind(&self.store)
                .bind(from.map(i64::from));
            let (made_due,): (bool,) = self.row(&self.sql.rerun, parameters).await?;
            let is_ours = |run: &RunRecord| run.due_at == Some(now);
            Ok(made_due || resent && self.run(run).await?.as_ref().is_some_and(is_ours))
        };
        let made_due = self.insist(rerun).await?;
        self.wake_if(made_due);
        Ok(made_due)
    }

    /// Removes old runs. If this is sent twice, the number is that of the second time.
    pub(super) async fn purge(&self, before: Timestamp, limit: usize) -> Result<usize, Fault> {
        let purge = |_| {
            let parameters = Parameters::default()
                .bind(before.as_millis())
                .bind(number(limit));
            self.row(&self.sql.purge, parameters)
        };
        let (gone,): (i64,) = self.insist(purge).await?;
        Ok(usize::try_from(gone).unwrap_or(0))
    }
}
