//! One run, replayed against the code of this program.

use std::{
    future::{Future, poll_fn},
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::Sleep;

use crate::{
    clock::Timestamp,
    codec::sealed::{self, Closed},
    error::{Error, Result},
    function::Invocation,
    live::{CURRENT_RUN, LiveRun, Played},
    panic::{self, catch_future},
    registry::Registered,
    step::Scope,
    store::{ClaimedRun, Entry},
    telemetry::FunctionMetrics,
    worker::{
        Wanted, Worker, hear_undos, inside::Inside, installed, left_to_undo, shared::Shared,
        unknown_steps,
    },
};

/// How long a function is waited for that has arrived where the run would go on, and has not reached all that is recorded: what else
/// it awaits may still bring it there.
const PATIENCE: Duration = Duration::from_millis(5);

/// The most turns in one poll.
const TURNS: usize = 64;

/// What the replay of a run has shown.
#[derive(Debug)]
pub(crate) struct Rehearsed {
    pub(crate) journal: Vec<Entry>,
    pub(crate) played: Played,
    pub(crate) end: End,
}

/// How a replay ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The function waits for what is not recorded.
    Waits,
    /// It returned.
    Returned,
    /// It returned an error.
    Failed(Error),
    /// Its code and its journal cannot both be right.
    Broken(Error),
    /// This program cannot read its event.
    Unread(Error),
    /// It awaits something outside of its steps that does not come.
    Hangs,
}

/// Replays a run as it stands at this time. Nothing is written, and no step is run.
pub(crate) async fn rehearse(
    worker: &Arc<Shared>,
    function: &Registered,
    mut claimed: ClaimedRun,
    now: Timestamp,
    limit: Duration,
) -> Rehearsed {
    panic::note_places();
    let journal = claimed.journal.clone();
    if let Some(closed) = Closed::in_run(&claimed) {
        return Rehearsed {
            journal,
            played: Played::default(),
            end: End::Broken(sealed::error(closed.key)),
        };
    }
    let is_undone = claimed.undoing.is_some();
    let run = LiveRun::new(
        &mut claimed,
        0,
        function.options.max_steps,
        Arc::new(FunctionMetrics::silent()),
        Arc::clone(&worker.host),
    );
    // One that is undone as well: what it publishes outside of its steps is not to be published.
    let run = Arc::new(run.rehearsed(now));
    let invocation = Invocation {
        scope: Scope::root(Arc::clone(&run)),
        event_type: Arc::clone(&run.event_type),
        payload: Arc::clone(&run.payload),
    };
    let mut played = Played::default();
    let end = if is_undone {
        // Nobody asks for anything else than how it is undone.
        let paths = journal.iter().map(|entry| Arc::clone(&entry.path));
        played.reached = paths.collect();
        let undone = undone(&run, function, invocation, limit, &mut played);
        within(worker, &run, undone).await
    } else {
        let start = function.def.start;
        let body = catch_future(async move { start(invocation).await });
        let end = poll(&run, within(worker, &run, body), limit).await;
        if let Some(rehearsal) = &run.rehearsal {
            played = mem::take(&mut rehearsal.played());
        }
        end
    };
    let end = match end {
        End::Failed(error) | End::Broken(error) if run.is_misread() => End::Unread(error),
        end => end,
    };
    Rehearsed {
        journal,
        played,
        end,
    }
}

/// Polls a function until it has nothing more to say.
async fn poll(
    run: &LiveRun,
    function: impl Future<Output = Result<Arc<[u8]>>>,
    limit: Duration,
) -> End {
    let inside = Inside::new();
    let waker = Waker::from(Arc::clone(&inside));
    let mut function = pin!(Some(function));
    let mut until = pin!(rest(limit));
    let mut patience: Option<Pin<Box<Sleep>>> = None;
    let end = poll_fn(|cx| {
        inside.is_polled_by(cx.waker());
        // What wakes itself for ever is never found idle.
        if until.as_mut().poll(cx).is_ready() {
            let played = run.rehearsal.as_ref().map(|it| it.played());
            let has_arrived = played.is_none_or(|played| played.has_arrived());
            return Poll::Ready(if has_arrived { End::Waits } else { End::Hangs });
        }
        for _ in 0..TURNS {
            if inside.take_woken() {
                patience = None;
                let polled = panic::poll(function.as_mut(), &mut Context::from_waker(&waker));
                if let Some(error) = run.take_end() {
                    return Poll::Ready(End::Broken(error));
                }
                if let Poll::Ready(outcome) = polled {
                    let outcome = outcome.and_then(|outcome| outcome).map(panic::discard);
                    return Poll::Ready(outcome.map_or_else(End::Failed, |()| End::Returned));
                }
                continue;
            }
            let Some(rehearsal) = &run.rehearsal else {
                return Poll::Ready(End::Waits);
            };
            let (has_arrived, has_all) = {
                let played = rehearsal.played();
                (played.has_arrived(), played.reached.len() >= run.recorded)
            };
            let is_alone = Arc::strong_count(&inside) <= 2;
            if has_arrived && (has_all || is_alone) {
                return Poll::Ready(End::Waits);
            }
            if !has_arrived {
                return if is_alone {
                    Poll::Ready(End::Hangs)
                } else {
                    Poll::Pending
                };
            }
            let patience = patience.get_or_insert_with(|| Box::pin(rest(PATIENCE)));
            return patience.as_mut().poll(cx).map(|()| End::Waits);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    panic::clear(function);
    end
}

/// Polls a future as the code of this run.
fn within<F: Future>(
    worker: &Arc<Shared>,
    run: &Arc<LiveRun>,
    code: F,
) -> impl Future<Output = F::Output> {
    let code = CURRENT_RUN.scope(Arc::clone(run), code);
    installed::scope(Worker::from_shared(Arc::clone(worker)), code)
}

/// Replays a run that is undone, as far as its function says how.
async fn undone(
    run: &LiveRun,
    function: &Registered,
    invocation: Invocation,
    limit: Duration,
    played: &mut Played,
) -> End {
    let Some(replay) = &run.replay else {
        return End::Waits;
    };
    let (left, open) = (left_to_undo(run), unknown_steps(run));
    let wanted = Wanted {
        left: &left,
        open: &open,
    };
    let heard = hear_undos(run, function.def, replay, &wanted, invocation);
    let outcome = tokio::select! {
        heard = heard => match heard {
            Ok(outcome) => outcome,
            Err(error) => return End::Broken(error),
        },
        // It hangs; what it has said until then counts.
        () = rest(limit) => Ok(()),
    };
    for entry in &left {
        if replay.take(&entry.path).is_none() {
            let why = match &outcome {
                Err(error) => format!(": {}", error.report()),
                Ok(()) => String::new(),
            };
            played.misfits.push(format!(
                "the run is being undone, and the code does not say how `{}` is{why}",
                entry.path
            ));
        }
    }
    End::Waits
}

#[expect(clippy::disallowed_methods, reason = "the check's own pause")]
fn rest(pause: Duration) -> Sleep {
    tokio::time::sleep(pause)
}
