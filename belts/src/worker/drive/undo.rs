//! The drive of a run that is undone: its function is replayed to hear how, and what its steps did is undone, the last first.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::Sleep;

use super::driver::Drive;
use crate::{
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    function::{FunctionDef, Invocation},
    live::{LiveRun, Outbox, Replay},
    panic,
    step::{cannot, undo},
    store::{CommitOutcome, Entry, RunStatus, StepKind, StepState, Transition, Undoing},
    worker::{ended::Ended, inside::Inside},
};

/// The most turns in one poll, so that others have theirs.
const TURNS: usize = 64;

/// How long a function is waited for that awaits something other than its steps and has not reached all of them.
const PATIENCE: Duration = Duration::from_secs(10);

impl Drive<'_> {
    /// Undoes what the run has recorded, the last first, and all of it even where something cannot be undone.
    pub(super) async fn undo(&self, invocation: Invocation) -> Result<Arc<[u8]>> {
        let Some(replay) = &self.run.replay else {
            return Ok(codec::encode_nothing());
        };
        let scope = invocation.scope.clone();
        let mut left = left_to_undo(self.run);
        let open = unknown_steps(self.run);
        if left.is_empty() && open.is_empty() {
            return Ok(codec::encode_nothing());
        }
        let wanted = Wanted {
            left: &left,
            open: &open,
        };
        let function = self.function.def;
        let outcome = hear_undos(self.run, function, replay, &wanted, invocation).await?;
        replay.sort(&mut left);
        for entry in left {
            let mut how = replay
                .take(&entry.path)
                .ok_or_else(|| unknown(outcome.as_ref().err(), replay.has_reached(&entry.path)));
            let path = self.run.undo_path(&entry);
            undo(&scope, &self.function.def.location, path, &entry, &mut how).await;
            panic::discard(how);
        }
        self.tell_of_unknown(replay, open).await;
        Ok(codec::encode_nothing())
    }

    /// Records of each step that would have to be undone if it has happened, and of which nobody knows that, that it is not undone.
    async fn tell_of_unknown(&self, replay: &Replay, open: Vec<Entry>) {
        let now = self.worker.clock.now();
        for entry in open {
            if !replay.has_undo(&entry.path) {
                continue;
            }
            let path = self.run.undo_path(&entry);
            let ids = self.run.ids();
            tracing::error!(
                function = ids.function, run = ids.run, step = %entry.path,
                "a step may have happened and is not undone: its process died before the outcome was recorded"
            );
            let error = cannot(&format!(
                "the outcome of the step `{}` is unknown, so it may have happened",
                entry.path
            ));
            let told = Entry::new(
                self.run.undo_seq(),
                path,
                StepKind::Undo,
                StepState::Failed,
                now,
            )
            .with_value("", codec::envelope(&error))
            .with_finished_at(now);
            if let Some(ticket) = self.run.record_in(None, told, true, true) {
                let _active = self.run.activate();
                ticket.await;
            }
        }
    }

    /// Ends the run as was decided, once all is undone.
    pub(super) async fn undone(&self, outcome: Result<Arc<[u8]>>) -> Ended {
        let Some(undoing) = &self.claimed.undoing else {
            return Ended::Abandoned;
        };
        if let Err(error) = outcome {
            return self.put_off(&error).await;
        }
        let transition = Transition::undone(undoing);
        let error = self.decided(undoing);
        let starts = match &error {
            Some(error) => {
                let attempts = self.claimed.failed_attempts;
                self.handlers(error, attempts, undoing.status).await
            }
            None => Vec::new(),
        };
        let ids = self.run.ids();
        if self.run.has_undoable() {
            tracing::info!(function = ids.function, run = ids.run, status = %undoing.status, "the run's steps are undone");
        }
        let outbox = self.run.take_outbox();
        let ended = self.end_and_start(outbox, transition, starts).await;
        if ended == Ended::Failed
            && let Some(error) = error
        {
            let _ = self.failure.set(error);
        }
        ended
    }

    /// By what the run was decided to end, as far as that can be read.
    fn decided(&self, undoing: &Undoing) -> Option<Error> {
        let error = match undoing.error.as_deref().map(codec::raw) {
            Some(Ok(Decoded::Err(failure))) => Some(failure.into_error()),
            _ => None,
        };
        if undoing.status == RunStatus::Failed {
            return error.map(|error| self.run.with_failed_step(error));
        }
        // It may be what an earlier attempt failed by.
        let cause = error.filter(|error| error.kind() == ErrorKind::Cancelled);
        Some(cause.unwrap_or_else(|| Error::new(ErrorKind::Cancelled, "the run was cancelled")))
    }

    /// Gives up one undo, of a run that was in hand too often when a process died: the one that was begun, if there is one. Then the
    /// others have their turn.
    pub(super) async fn give_up_undo(&self, error: &Error) -> Ended {
        if self.run.undo_under_way().is_none() && left_to_undo(self.run).is_empty() {
            return Box::pin(self.undone(Ok(codec::encode_nothing()))).await;
        }
        let outbox = self.given_up(error);
        let now = self.worker.clock.now();
        self.end(outbox, Transition::put_off(now)).await
    }

    /// Gives up the undo that was begun, since what it comes to cannot be written; `None` if that cannot be written either.
    pub(super) async fn count_undo_as_failed(&self, error: &Error) -> Option<Ended> {
        if self.run.undo_under_way().is_none() {
            return Box::pin(self.end_without_handlers(error)).await;
        }
        let outbox = self.given_up(error);
        let put_off = Transition::put_off(self.worker.clock.now());
        let written = self.write_end(outbox, put_off.clone(), Vec::new()).await;
        match written.ok()?.first() {
            Some(CommitOutcome::Applied) => Some(self.ended(put_off)),
            _ => Some(Ended::Abandoned),
        }
    }

    /// Ends a run of which all is undone, without the handlers that could not be started; `None` where it is not undone, or cannot be
    /// ended either.
    async fn end_without_handlers(&self, refused: &Error) -> Option<Ended> {
        let undoing = self.claimed.undoing.as_ref()?;
        if !left_to_undo(self.run).is_empty() {
            return None;
        }
        let transition = Transition::undone(undoing);
        let written = self.write_end(Outbox::default(), transition.clone(), Vec::new());
        match written.await.ok()?.first() {
            Some(CommitOutcome::Applied) => {}
            _ => return Some(Ended::Abandoned),
        }
        let ids = self.run.ids();
        tracing::error!(
            function = ids.function, run = ids.run, error = %refused.report(),
            "the store refused the last write of this run; it ended without starting its failure handlers"
        );
        Some(self.ended(transition))
    }

    fn given_up(&self, error: &Error) -> Outbox {
        let mut left = left_to_undo(self.run);
        if let Some(replay) = &self.run.replay {
            replay.sort(&mut left);
        }
        let now = self.worker.clock.now();
        let begun = self.run.undo_under_way();
        let begun = begun.map(|entry| (entry.path, entry.seq, entry.attempts));
        let next = || {
            let path = self.run.undo_path(left.first()?);
            Some((path, self.run.undo_seq(), 0))
        };
        let error = cannot(&error.report());
        let entry = begun.or_else(next).map(|(path, seq, attempts)| {
            Entry::new(seq, path, StepKind::Undo, StepState::Failed, now)
                .with_value("", codec::envelope(&error))
                .with_attempts(attempts + 1)
                .with_finished_at(now)
        });
        let ids = self.run.ids();
        tracing::error!(function = ids.function, run = ids.run, error = %error.report(), "a step could not be undone");
        Outbox::of(entry.into_iter().collect())
    }
}

/// When the failures of a replay come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failures {
    /// As they were recorded.
    InTurn,
    /// Once nothing else does.
    Last,
}

/// What a replay is to come by.
pub(in crate::worker) struct Wanted<'a> {
    /// What is to be undone.
    pub(in crate::worker) left: &'a [Entry],
    /// What would have to be, if it has happened.
    pub(in crate::worker) open: &'a [Entry],
}

impl Wanted<'_> {
    fn are_reached(&self, run: &LiveRun, replay: &Replay) -> bool {
        let mut left = self.left.iter();
        let mut open = self.open.iter();
        left.all(|entry| replay.has_reached(&entry.path))
            && open.all(|entry| run.has_reached(&entry.path))
    }
}

/// Replays the function to hear how these are undone; and what ended it, if that was an error.
///
/// If it ends before it has reached all of them, it is replayed once more with its failures last: side by side with what failed, the
/// others may have been held up by what only this replay waits for, and clocks may not agree on what came first.
pub(in crate::worker) async fn hear_undos(
    run: &LiveRun,
    function: &FunctionDef,
    replay: &Replay,
    wanted: &Wanted<'_>,
    invocation: Invocation,
) -> Result<std::result::Result<(), Error>> {
    let start = function.start;
    let (event_type, payload) = (&run.event_type, &run.payload);
    let again = Invocation {
        scope: invocation.scope.clone(),
        event_type: Arc::clone(event_type),
        payload: Arc::clone(payload),
    };
    let function = panic::catch_future(async move { start(invocation).await });
    let outcome = replayed(run, replay, wanted, function, Failures::InTurn).await?;
    if wanted.are_reached(run, replay) || outcome.is_ok() && !replay.fails() {
        return Ok(outcome);
    }
    run.replay_anew();
    let function = panic::catch_future(async move { start(again).await });
    replayed(run, replay, wanted, function, Failures::Last).await
}

/// What is not undone yet, nor known to be impossible to undo.
pub(in crate::worker) fn left_to_undo(run: &LiveRun) -> Vec<Entry> {
    let mut left = run.undoables();
    left.retain(|entry| {
        let known = run.undo_entry(&run.undo_path(entry));
        known.is_none_or(|undo| undo.state == StepState::Waiting)
    });
    left
}

/// The steps that may have happened, as long as that is not told.
pub(in crate::worker) fn unknown_steps(run: &LiveRun) -> Vec<Entry> {
    let mut open = run.unknown_steps();
    open.retain(|entry| run.undo_entry(&run.undo_path(entry)).is_none());
    open
}

/// Why nobody knows how a step is undone.
fn unknown(stopped: Option<&Error>, is_reached: bool) -> Error {
    let text = match stopped {
        _ if is_reached => "the function no longer says how: the step has no `undo`".to_owned(),
        None => "the function no longer reaches the step".to_owned(),
        Some(error) => format!(
            "the function, replayed, stopped before it reached the step: {}",
            error.report()
        ),
    };
    Error::new(ErrorKind::Failed, text)
}

/// Replays a function until it has reached all these steps, or gets no further; and what ended it, if that was an error.
async fn replayed<F: Future<Output = Result<Arc<[u8]>>>>(
    run: &LiveRun,
    replay: &Replay,
    wanted: &Wanted<'_>,
    function: F,
    failures: Failures,
) -> Result<std::result::Result<(), Error>> {
    let inside = Inside::new();
    let waker = Waker::from(Arc::clone(&inside));
    let mut function = pin!(Some(function));
    let mut patience: Option<Pin<Box<Sleep>>> = None;
    let replayed = poll_fn(|cx| {
        inside.is_polled_by(cx.waker());
        for _ in 0..TURNS {
            if inside.take_woken() {
                patience = None;
                let polled = panic::poll(function.as_mut(), &mut Context::from_waker(&waker));
                if let Some(error) = run.take_violation() {
                    let is_outcome = !error.is_service_failure();
                    return Poll::Ready(if is_outcome {
                        Ok(Err(error))
                    } else {
                        Err(error)
                    });
                }
                if let Poll::Ready(outcome) = polled {
                    let outcome = outcome.and_then(|outcome| outcome).map(panic::discard);
                    return Poll::Ready(match outcome {
                        Err(error) if error.is_service_failure() => Err(error),
                        outcome => Ok(outcome),
                    });
                }
                continue;
            }
            if wanted.are_reached(run, replay) {
                return Poll::Ready(Ok(Ok(())));
            }
            if replay.release_next(failures == Failures::Last) {
                continue;
            }
            // Beside the two here, clones of the waker are held by what else the function awaits.
            let others = Arc::strong_count(&inside).saturating_sub(2 + replay.waiting());
            if others > 0 {
                let patience = patience.get_or_insert_with(rest);
                std::task::ready!(patience.as_mut().poll(cx));
            }
            if failures == Failures::Last && replay.release_next(false) {
                continue;
            }
            return Poll::Ready(Ok(Ok(())));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    panic::clear(function);
    replayed
}

#[expect(clippy::disallowed_methods, reason = "the worker's own pause")]
fn rest() -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(PATIENCE))
}
