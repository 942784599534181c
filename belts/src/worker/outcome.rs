//! Waiting for a run by its id, whoever drives it.

use std::{future::pending, sync::Arc};

#[cfg(feature = "http")]
use super::wait::FIRST_PAUSE;
use super::{
    Execute, FinishedRun, Shared,
    ended::Ended,
    wait::{finished, of_another},
};
#[cfg(feature = "http")]
use crate::inspect::Runs;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    live::CURRENT_RUN,
    store::finish::to_the_end_at,
    store::{RunRecord, RunStatus},
};

impl Execute {
    /// Makes a run durable and leaves it to whoever drives it; the run's id.
    ///
    /// It comes to its end even if whoever awaits it goes away: in push mode nobody else would hand the run on.
    #[cfg_attr(
        not(feature = "http"),
        expect(unused_mut, reason = "push mode alone names the run")
    )]
    pub(crate) async fn leave(mut self) -> Result<String> {
        let shared = Arc::clone(self.shared());
        #[cfg(feature = "http")]
        if shared.hands_on() && self.run_id.is_none() {
            // Whoever is told that the dispatcher failed can name the run.
            self.run_id = Some(crate::id::new_id().to_string());
        }
        to_the_end_at(shared.loops.home(), async move {
            let started = self.start().await?;
            let Some((run_id, _)) = started.runs.into_iter().next() else {
                return Err(Error::new(
                    ErrorKind::Store,
                    "the store returned no run for a call",
                ));
            };
            #[cfg(feature = "http")]
            if shared.hands_on() {
                let handed_on = shared.hand_on_as_it_stands(&run_id).await;
                handed_on.map_err(|error| error.with_run(&run_id))?;
            }
            Ok(run_id.to_string())
        })
        .await
    }
}

impl Shared {
    /// Tells whoever drives a run here that it was cancelled, and whoever waits for it, who then looks for it in the store.
    pub(crate) fn cancelled(&self, run_id: &str) {
        self.revoke(run_id);
        self.tell(&run_id.into(), &Ended::Failed);
    }

    /// Cancels a run; `false` if it had ended already, or is being undone. In push mode what follows is handed on.
    pub(crate) async fn cancel(&self, run_id: &Arc<str>) -> Result<bool> {
        let cancelled = self.store.cancel(run_id, self.clock.now()).await?;
        if cancelled {
            self.cancelled(run_id);
            #[cfg(feature = "http")]
            self.hand_on_cancelled(run_id).await?;
        }
        Ok(cancelled)
    }

    /// In push mode, hands on what a cancelled run leaves: it may be due, to be undone, and so may what it has started.
    #[cfg(feature = "http")]
    pub(crate) async fn hand_on_cancelled(&self, run_id: &Arc<str>) -> Result<()> {
        if !self.hands_on() {
            return Ok(());
        }
        let Some(run) = self.store.run(run_id).await? else {
            return Ok(());
        };
        if let Some(due_at) = run.due_at {
            self.hand_on(run_id, due_at, 0).await?;
        }
        self.leave_children(run_id, &run.function_id).await;
        Ok(())
    }

    /// Hands a run on for the time at which it is due; one that is driven is handed on when it leaves.
    #[cfg(feature = "http")]
    async fn hand_on_as_it_stands(&self, run_id: &Arc<str>) -> Result<()> {
        let record = self.store.run(run_id).await?;
        match record.and_then(|record| record.due_at) {
            Some(due_at) => self.hand_on(run_id, due_at, 0).await,
            None => Ok(()),
        }
    }

    /// The run of this id, of this function.
    pub(crate) async fn record(&self, run_id: &str, function_id: &str) -> Result<RunRecord> {
        let Some(record) = self.store.run(run_id).await? else {
            return Err(unknown(run_id, function_id));
        };
        if *record.function_id != *function_id {
            return Err(of_another(run_id, &record.function_id, function_id));
        }
        Ok(record)
    }

    /// Waits for the end of a run, and drives it here where no loop does.
    ///
    /// The result of a run that has ended is there even after the end of this worker.
    pub(crate) async fn outcome(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &Arc<str>,
    ) -> Result<FinishedRun> {
        match self.outcome_so_far(run_id, function_id).await? {
            Some(finished) => Ok(finished),
            None => self.outcome_to_come(run_id, function_id).await,
        }
    }

    /// The same, or `None` if the run goes on at the deadline.
    pub(crate) async fn outcome_by(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &Arc<str>,
        deadline: Timestamp,
    ) -> Result<Option<FinishedRun>> {
        // The time limit is not for the store's answer.
        if let Some(finished) = self.outcome_so_far(run_id, function_id).await? {
            return Ok(Some(finished));
        }
        tokio::select! {
            biased;
            finished = self.outcome_to_come(run_id, function_id) => finished.map(Some),
            () = self.clock.expire_at(deadline) => Ok(None),
        }
    }

    async fn outcome_so_far(&self, run_id: &str, function_id: &str) -> Result<Option<FinishedRun>> {
        let record = self.record(run_id, function_id).await?;
        Ok(record.status.is_finished().then(|| finished(&record)))
    }

    async fn outcome_to_come(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &Arc<str>,
    ) -> Result<FinishedRun> {
        let ended = tokio::select! {
            biased;
            ended = self.finish(run_id, function_id, None) => ended?,
            error = self.shut_down() => return Err(error),
        };
        let ended = ended.ok_or_else(|| unknown(run_id, function_id))?;
        if ended.status == RunStatus::Stopped {
            return Err(stopped(run_id));
        }
        Ok(ended)
    }

    /// Returns an error when this worker will see the end of no more runs.
    ///
    /// Never in a run of this worker: to that its shutdown is not a failed attempt. The drain ends its drive.
    pub(super) async fn shut_down(&self) -> Error {
        let ours = CURRENT_RUN.try_with(|run| Arc::ptr_eq(&run.host, &self.host));
        if ours.unwrap_or(false) {
            return pending().await;
        }
        self.gone().await;
        Error::new(
            ErrorKind::Shutdown,
            "the worker shut down before the run ended; another worker will continue it",
        )
    }

    /// How a run stands once it has ended, or at the deadline, or when this worker is about to end. It drives nothing.
    #[cfg(feature = "http")]
    pub(crate) async fn ended_by(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        deadline: Timestamp,
    ) -> Result<RunRecord> {
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = self.listen(run_id);
            let record = Runs::of_worker(self).get(run_id).await?;
            let now = self.clock.now();
            if record.status.is_finished() || now >= deadline || self.is_draining() {
                return Ok(record);
            }
            // A run that another worker drives tells nobody here.
            pause = (pause * 2).min(self.options().sweep);
            tokio::select! {
                _ = ended => {}
                () = self.clock.expire_at(now.after(pause).min(deadline)) => {}
                () = self.shutdown.begun() => {}
            }
        }
    }
}

fn stopped(run_id: &str) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!(
            "the run `{run_id}` was asked to stop after a step and waits there without an output; deliver its event with `run_id` to \
             let it go on"
        ),
    )
}

fn unknown(run_id: &str, function_id: &str) -> Error {
    Error::new(
        ErrorKind::UnknownRun,
        format!(
            "the function `{function_id}` has no run `{run_id}`: it was never started, a filter skipped it, or it was purged"
        ),
    )
}
