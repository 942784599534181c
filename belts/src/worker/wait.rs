//! Waiting for runs that were started or resumed here, and driving them where no loop does.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use serde_json::value::RawValue;

use super::{
    Executed, FinishedRun, Shared,
    children::Family,
    ended::Ended,
    listen::{Ending, Endings},
    targets::Aim,
};
use crate::{
    clock::Timestamp,
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    store::{Entry, RunRecord, RunStatus, StepState, Wait},
};

/// The wait before the store is asked again about a run that another worker drives; twice as long each time, up to the sweep.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// A delivered event whose runs are under way.
#[derive(Debug)]
pub(crate) struct Started {
    pub(super) shared: Arc<Shared>,
    pub(crate) event_id: Arc<str>,
    pub(crate) duplicate: bool,
    /// Run ids with their functions' ids.
    pub(crate) runs: Vec<(Arc<str>, Arc<str>)>,
    /// What is heard of the end of those runs that have just been started here.
    pub(super) endings: Endings,
    /// What was asked of its only run, until it has ended or stopped.
    pub(super) aim: Option<Arc<Aim>>,
}

impl Started {
    /// Waits until every run has ended or stopped, but not longer than this worker lives.
    pub(crate) async fn wait(self) -> Result<Executed> {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            biased;
            executed = self.ends() => executed,
            error = shared.shut_down() => Err(error),
        }
    }

    async fn ends(mut self) -> Result<Executed> {
        let waits = self.runs.into_iter().map(|(run_id, function_id)| {
            let (shared, ending) = (&self.shared, self.endings.remove(&run_id));
            async move { shared.finish(&run_id, &function_id, ending).await }
        });
        let runs = try_join_all(waits).await;
        self.shared.waiters.targets.take_back(self.aim);
        let runs = runs?.into_iter().flatten().collect();
        Ok(Executed {
            event_id: self.event_id.to_string(),
            duplicate: self.duplicate,
            runs,
        })
    }
}

#[cfg(feature = "http")]
impl Started {
    /// Forgets the step at which a run was to stop once it has, without making the caller wait.
    pub(crate) fn watch_target(self) {
        if self.aim.is_some() {
            let home = Arc::clone(&self.shared);
            home.loops.spawn(async move { drop(self.wait().await) });
        }
    }
}

impl Shared {
    /// Waits for the end of a run, and drives it here where no loop does; `None` if a filter removed it.
    pub(super) async fn finish(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &Arc<str>,
        mut ending: Option<Ending>,
    ) -> Result<Option<FinishedRun>> {
        let mut pause = FIRST_PAUSE;
        loop {
            // A run that has just been started here need not be looked for in the store.
            let ended = if let Some(ended) = ending.take() {
                ended
            } else {
                let mut ended = self.listen(run_id);
                match self.look_for(run_id, function_id, &mut ended).await? {
                    Look::Over(finished) => {
                        self.leave_children(run_id, function_id).await;
                        return Ok(finished);
                    }
                    Look::Again => continue,
                    Look::Later => ended,
                }
            };
            // A run that another worker drives tells nobody here, so the store is asked again.
            pause = (pause * 2).min(self.options().sweep);
            let later = self.clock.now().after(pause);
            tokio::select! {
                ended = ended => match ended {
                    Ok(Ended::Completed(output)) => {
                        self.leave_children(run_id, function_id).await;
                        let (run_id, function_id) = (run_id.to_string(), function_id.to_string());
                        let result = output_of(&output);
                        return Ok(Some(FinishedRun { run_id, function_id, status: RunStatus::Completed, result }));
                    }
                    Ok(Ended::Abandoned) => self.clock.sleep_until(later).await,
                    _ => {}
                },
                () = self.clock.expire_at(later) => {}
            }
        }
    }

    /// How a run stands in the store; drives it here where it is due and no loop does.
    async fn look_for(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &Arc<str>,
        ended: &mut Ending,
    ) -> Result<Look> {
        let Some(record) = self.store.run(run_id).await? else {
            return Ok(Look::Over(None));
        };
        if record.status.is_finished() || record.status == RunStatus::Stopped {
            return Ok(Look::Over(Some(finished(&record))));
        }
        let Some(index) = self
            .registry
            .index(function_id)
            .filter(|_| !self.is_running() && !self.is_ending() && !self.drives(run_id))
        else {
            return Ok(Look::Later);
        };
        let now = self.clock.now();
        if record.is_over(now) {
            return Ok(if self.end_overdue(run_id).await? {
                Look::Again
            } else {
                Look::Later
            });
        }
        let rests = record.is_suspended() && record.due_at.is_none_or(|due| due > now);
        if rests
            && record.status != RunStatus::Undoing
            && self.clock.is_manual()
            && let Some(wait) = self.open_wait(run_id).await?
        {
            match self.drive_family(&record).await? {
                Family::GoesOn => return Ok(Look::Again),
                Family::AtItsTime => {}
                Family::Driven => return Ok(Look::Later),
                // A test publishes the event, or lets time pass.
                Family::Waits => return Ok(Look::Over(Some(waits(&record, &wait)))),
            }
        }
        if rests && !self.clock.is_manual() {
            let children = self.own_children(run_id, function_id).await?;
            if !children.is_empty() {
                self.drive_until_due(run_id, &children, ended).await?;
                return Ok(Look::Again);
            }
        }
        if record.due_at.is_none() && record.status == RunStatus::Suspended {
            let look = now.after(self.options().sweep);
            let look = record.over_at().map_or(look, |over_at| look.min(over_at));
            tokio::select! {
                _ = &mut *ended => {}
                () = self.store.woken() => {}
                () = self.clock.expire_at(look) => {}
            }
            return Ok(Look::Again);
        }
        if record.due_at.is_some()
            && let Some(due) = record.next_moment()
        {
            if due.is_never() && self.clock.is_manual() {
                return Err(never(run_id, function_id));
            }
            let look = self.clock.now().after(self.options().sweep);
            tokio::select! {
                            biased;
                            () = self.clock.sleep_until(due) => {}
            _ = &mut *ended => return Ok(Look::Again),
                            () = self.store.woken() => return Ok(Look::Again),
                            // Another process may have cancelled it meanwhile.
                            () = self.clock.expire_at(look) => return Ok(Look::Again),
                        }
        }
        if record.is_over(self.clock.now()) {
            return Ok(Look::Again);
        }
        // The worker that drives it may have died, which nobody else notices here; a living one keeps it.
        let claimed = self.claim_run(run_id, index).await?;
        if !claimed
            && self.clock.is_manual()
            && let Some(since) = self.paused_at(function_id).await?
        {
            return Ok(Look::Over(Some(paused(&record, since))));
        }
        // Whoever cannot have it now looks again after a pause, whatever the reason.
        Ok(if claimed { Look::Again } else { Look::Later })
    }
}

impl Shared {
    /// Drives the runs that one has started, until all of them have ended, or the run is due or over.
    async fn drive_until_due(
        self: &Arc<Self>,
        run_id: &str,
        children: &[RunRecord],
        ended: &mut Ending,
    ) -> Result<()> {
        let mut drives = self.drive_children(children);
        loop {
            let sweep = self.clock.now().after(self.options().sweep);
            tokio::select! {
                result = &mut drives => return result,
                _ = &mut *ended => return Ok(()),
                // One of them may have ended while others go on.
                () = self.store.woken() => {}
                () = self.clock.expire_at(sweep) => {}
            }
            let now = self.clock.now();
            let record = self.store.run(run_id).await?;
            let rests = record.is_some_and(|record| {
                let is_due = record.due_at.is_some_and(|due_at| due_at <= now);
                record.is_suspended() && !is_due && !record.is_over(now)
            });
            if !rests {
                return Ok(());
            }
        }
    }

    /// What the run waits for, if it does, whatever else it does meanwhile.
    async fn open_wait(&self, run_id: &str) -> Result<Option<Entry>> {
        let journal = self.store.journal(run_id).await?;
        let waits = |entry: &Entry| {
            entry.kind.is_wait() && entry.is_step() && entry.state == StepState::Waiting
        };
        Ok(journal.into_iter().find(waits))
    }
}

/// A run that waits for an event which only the test can publish.
fn waits(record: &RunRecord, entry: &Entry) -> FinishedRun {
    let what = entry
        .wait
        .as_ref()
        .map_or_else(String::new, Wait::to_string);
    let path = &entry.path;
    let text = if entry.wait.as_ref().is_some_and(Wait::is_for_a_run) {
        format!(
            "the run waits at `{path}` for the {what}, which waits for something itself, or whose function is paused or not in this worker; give \
             that run what it waits for, preset the call, or let time pass with `travel`"
        )
    } else {
        format!(
            "the run waits at `{path}` for the {what}; publish it, or let time pass with `travel`"
        )
    };
    stays(record, text)
}

/// A run that goes on only once the test resumes its function.
fn paused(record: &RunRecord, since: Timestamp) -> FinishedRun {
    let id = &record.function_id;
    let text = format!(
        "the run cannot go on: its function `{id}` is paused since {since}; resume it with `worker.functions().resume(\"{id}\")`"
    );
    stays(record, text)
}

/// A run that rests until the test does something.
fn stays(record: &RunRecord, text: String) -> FinishedRun {
    FinishedRun {
        run_id: record.run_id.to_string(),
        function_id: record.function_id.to_string(),
        status: record.status,
        result: Err(Error::new(ErrorKind::Config, text)
            .with_run(&record.run_id)
            .with_function(&record.function_id)),
    }
}

/// What a look at the store says about a run that one waits for.
enum Look {
    Over(Option<FinishedRun>),
    Again,
    Later,
}

/// The error of a test that would wait for ever.
fn never(run_id: &Arc<str>, function_id: &Arc<str>) -> Error {
    let text = "the run waits until the end of time, and no clock of a test comes there: give its sleep or its `retry_after` \
                an end, or `publish` the event and let time pass with `travel`";
    Error::new(ErrorKind::Config, text)
        .with_run(run_id)
        .with_function(function_id)
}

/// The error of a run that is asked for as one of another function.
pub(super) fn of_another(run_id: &str, function_id: &str, wanted: &str) -> Error {
    Error::new(
        ErrorKind::UnknownRun,
        format!("the run `{run_id}` belongs to the function `{function_id}`, not `{wanted}`"),
    )
}

fn output_of(envelope: &[u8]) -> Result<Box<RawValue>> {
    match codec::raw(envelope)? {
        Decoded::Ok(value) => Ok(value.to_owned()),
        Decoded::Err(failure) => Err(failure.into_error()),
    }
}

/// By what a run was cancelled, as far as its record says so; it may hold an earlier failure.
fn cancelled(record: &RunRecord) -> Error {
    let said = record
        .result
        .as_deref()
        .and_then(|said| codec::raw(said).ok());
    let cause = match said {
        Some(Decoded::Err(failure)) => Some(failure.into_error()),
        _ => None,
    };
    cause
        .filter(|cause| cause.kind() == ErrorKind::Cancelled)
        .unwrap_or_else(|| Error::new(ErrorKind::Cancelled, "the run was cancelled"))
}

pub(super) fn finished(record: &RunRecord) -> FinishedRun {
    let result = match (record.status, &record.result) {
        (RunStatus::Cancelled, _) => Err(cancelled(record)),
        (RunStatus::Stopped, _) | (_, None) => Ok(RawValue::NULL.to_owned()),
        (_, Some(envelope)) => output_of(envelope),
    };
    let result = result.map_err(|error| {
        error
            .with_run(&record.run_id)
            .with_function(&record.function_id)
    });
    FinishedRun {
        run_id: record.run_id.to_string(),
        function_id: record.function_id.to_string(),
        status: record.status,
        result,
    }
}
