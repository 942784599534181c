//! The runs of a function: found, and run again.

use std::sync::Arc;

use super::{Harness, TestRun};
use crate::{
    error::{Error, Result},
    function::{Function, id_of},
    inspect::Runs,
    store::{RunFilter, RunStatus},
};

impl Harness {
    /// Every run of a function, in the order of creation.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn runs_of<M, F: Function<M>>(&self, function: F) -> Result<Vec<TestRun<F::Output>>> {
        let function = id_of(function);
        let mut records = self.runs().await?;
        records.retain(|run| &*run.function_id == function);
        // Ids sort by time as well, for runs created at one moment of a clock that stands still.
        records.sort_by(|a, b| (a.created_at, &a.run_id).cmp(&(b.created_at, &b.run_id)));
        let mut runs = Vec::with_capacity(records.len());
        for record in records {
            runs.push(TestRun::read(self, function, record.run_id, 0).await?);
        }
        Ok(runs)
    }

    /// Makes a failed run due again, keeping what succeeded, and drives it to its end. Other runs stay as they are.
    ///
    /// # Errors
    /// There is no such run, it belongs to another function or has not failed, or the store fails.
    pub async fn rerun<M, F: Function<M>>(
        &self,
        function: F,
        run_id: &str,
    ) -> Result<TestRun<F::Output>> {
        let function = id_of(function);
        let store = self.store();
        let record = store.run(run_id).await?;
        if &*record.function_id != function {
            let owner = &record.function_id;
            let text = format!("run `{run_id}` belongs to `{owner}`, not to `{function}`");
            return Err(Error::new(crate::ErrorKind::UnknownRun, text).with_run(&record.run_id));
        }
        // Not through the worker's store, whose faults are for the run.
        let runs = Runs::of(store.shared());
        let runs = runs.with_clock(&self.worker().shared().clock);
        if !runs.rerun(run_id).await? {
            let text = format!(
                "run `{run_id}` is {}; only a failed or cancelled run can be rerun",
                record.status
            );
            return Err(Error::new(crate::ErrorKind::UnknownRun, text).with_run(&record.run_id));
        }
        self.forget_evaluations(run_id).await?;
        self.resume(&record).await
    }

    /// Counts the evaluations of a run that goes on anew, and of those below it.
    async fn forget_evaluations(&self, run_id: &str) -> Result<()> {
        let goes_on = [RunStatus::Pending, RunStatus::Suspended, RunStatus::Undoing];
        let mut next: Vec<Arc<str>> = vec![run_id.into()];
        while let Some(run_id) = next.pop() {
            self.inner.setup.probe.forget(&run_id);
            let filter = RunFilter::new()
                .with_parent(run_id)
                .with_statuses(goes_on)
                .with_limit(usize::from(u16::MAX));
            let below = self.store().shared().list(filter).await?.runs;
            next.extend(below.into_iter().map(|run| run.run_id));
        }
        Ok(())
    }
}
