//! Runs that have something to undo: a trigger has them go on in place of their end, until that is done.

use sqlx::postgres::PgBindIterExt as _;

use super::{
    database::Database,
    error::Fault,
    rows::{Columns, status},
    sql::Parameters,
};
use crate::store::{ClaimedRun, Entry, StepKind, Undoing};

impl Database {
    /// Tells how runs that were claimed end once they are undone. Only those are asked for that have recorded what can be.
    pub(super) async fn tell_undoing(&self, runs: &mut [ClaimedRun]) -> Result<(), Fault> {
        let undoes = |entry: &Entry| entry.undoable || entry.kind == StepKind::Undo;
        let Some(worker) = runs.first().map(|run| run.lease.worker) else {
            return Ok(());
        };
        let asked: Vec<i64> = runs
            .iter()
            .filter(|run| run.journal.iter().any(undoes))
            .map(|run| run.lease.run)
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        // One that was cancelled since is no longer ours, and is not ours to undo.
        let parameters = Parameters::default()
            .bind(asked.into_iter().bind_iter())
            .bind(worker.0);
        for row in &self.rows(&self.sql.undoing, parameters).await? {
            let columns = Columns(row);
            let number: i64 = columns.get(0)?;
            let error: Option<&[u8]> = columns.get(2)?;
            let undoing = Undoing::new(status(columns.get(1)?)?, error.map(Into::into));
            if let Some(run) = runs.iter_mut().find(|run| run.lease.run == number) {
                run.undoing = Some(undoing);
            }
        }
        Ok(())
    }
}
