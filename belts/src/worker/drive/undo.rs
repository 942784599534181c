//! The drive of a run that is undone: its function is replayed to hear how, and what its steps did is undone, the last first.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::time::Sleep;

use super::driver::Drive;
use crate::{
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    function::Invocation,
    live::{LiveRun, Outbox, Replay},
    panic,
    run::undo_of,
    step::{cannot, undo},
    store::{Entry, RunStatus, StepKind, StepState, Transition},
    worker::ended::Ended,
};

/// The most turns in one poll, so that others have theirs.
const TURNS: usize = 64;

/// How long a function is waited for that awaits something other than its steps and has not reached all of them.
const PATIENCE: Duration = Duration::from_secs(10);

/// The waker that a function is replayed with.
struct Inside {
    woken: AtomicBool,
    outside: Mutex<Option<Waker>>,
}

impl Wake for Inside {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outside) = &*outside {
            outside.wake_by_ref();
        }
    }
}

impl Drive<'_> {
    /// Undoes what the run has recorded, the last first, and all of it even where something cannot be undone.
    pub(super) async fn undo(&self, invocation: Invocation) -> Result<Arc<[u8]>> {
        let Some(replay) = &self.run.replay else {
            return Ok(codec::encode_nothing());
        };
        let scope = invocation.scope.clone();
        let mut left = self.left_to_undo();
        if left.is_empty() {
            return Ok(codec::encode_nothing());
        }
        let start = self.function.def.start;
        let function = panic::catch_future(async move { start(invocation).await });
        let outcome = replayed(self.run, replay, &left, function).await?;
        replay.sort(&mut left);
        for entry in left {
            let mut how = replay
                .take(&entry.path)
                .ok_or_else(|| unknown(outcome.as_ref().err(), replay.has_reached(&entry.path)));
            let path = undo_of(&entry.path);
            undo(&scope, &self.function.def.location, path, &entry, &mut how).await;
            panic::discard(how);
        }
        Ok(codec::encode_nothing())
    }

    /// What is not undone yet, nor known to be impossible to undo.
    fn left_to_undo(&self) -> Vec<Entry> {
        let mut left = self.run.undoables();
        left.retain(|entry| {
            let known = self.run.undo_entry(&undo_of(&entry.path));
            known.is_none_or(|undo| undo.state == StepState::Waiting)
        });
        left
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
        let error = match undoing.error.as_deref().map(codec::raw) {
            Some(Ok(Decoded::Err(failure))) => Some(failure.into_error()),
            _ => None,
        };
        let error = error.filter(|_| undoing.status == RunStatus::Failed);
        let error = error.map(|error| self.run.with_failed_step(error));
        let starts = match &error {
            Some(error) => self.handlers(error, self.claimed.failed_attempts).await,
            None => Vec::new(),
        };
        let ids = self.run.ids();
        tracing::info!(function = ids.function, run = ids.run, status = %undoing.status, "the run's steps are undone");
        let outbox = self.run.take_outbox();
        let ended = self.end_and_start(outbox, transition, starts).await;
        if ended == Ended::Failed
            && let Some(error) = error
        {
            let _ = self.failure.set(error);
        }
        ended
    }

    /// Gives up one undo, of a run that was in hand too often when a process died. Then the others have their turn.
    pub(super) async fn give_up_undo(&self, error: &Error) -> Ended {
        let mut left = self.left_to_undo();
        if let Some(replay) = &self.run.replay {
            replay.sort(&mut left);
        }
        let now = self.worker.clock.now();
        let entry = left.first().map(|entry| {
            let path = undo_of(&entry.path);
            let known = self.run.undo_entry(&path);
            let (seq, attempts) = match &known {
                Some(known) => (known.seq, known.attempts),
                None => (self.run.undo_seq(), 0),
            };
            let error = cannot(&error.report());
            Entry::new(seq, path, StepKind::Undo, StepState::Failed, now)
                .with_value("", codec::envelope(&error))
                .with_attempts(attempts + 1)
                .with_finished_at(now)
        });
        let ids = self.run.ids();
        tracing::error!(function = ids.function, run = ids.run, error = %error.report(), "a step could not be undone");
        let outbox = Outbox::of(entry.into_iter().collect());
        self.end(outbox, Transition::put_off(now)).await
    }
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
    wanted: &[Entry],
    function: F,
) -> Result<std::result::Result<(), Error>> {
    let inside = Arc::new(Inside {
        woken: AtomicBool::new(true),
        outside: Mutex::new(None),
    });
    let waker = Waker::from(Arc::clone(&inside));
    let mut function = pin!(Some(function));
    let mut patience: Option<Pin<Box<Sleep>>> = None;
    let replayed = poll_fn(|cx| {
        *inside
            .outside
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        for _ in 0..TURNS {
            if inside.woken.swap(false, Ordering::AcqRel) {
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
            if wanted.iter().all(|entry| replay.has_reached(&entry.path)) {
                return Poll::Ready(Ok(Ok(())));
            }
            if replay.release_next() {
                continue;
            }
            // Beside the two here, clones of the waker are held by what else the function awaits.
            if Arc::strong_count(&inside) <= 2 {
                return Poll::Ready(Ok(Ok(())));
            }
            let patience = patience.get_or_insert_with(rest);
            return patience.as_mut().poll(cx).map(|()| Ok(Ok(())));
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
