//! One attempt of a step: its expression polled to the end, and its value as it will be recorded.

use std::{
    cell::RefCell,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::Expression;
use crate::{
    clock::Timestamp,
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    live::{Attempt, CURRENT_STEP, CurrentStep, Heard, InTransaction, LiveRun, PublishedHere},
    panic,
    step::{Attempted, Caught},
    telemetry::span::StepIds,
};

/// The name of a type. Each thread keeps the last one, since the steps of a loop have one type.
pub(super) fn type_name<T>() -> Arc<str> {
    thread_local! {
        static LAST: RefCell<Arc<str>> = RefCell::default();
    }
    let name = std::any::type_name::<T>();
    LAST.with_borrow_mut(|last| {
        if **last != *name {
            *last = Arc::from(name);
        }
        Arc::clone(last)
    })
}

/// The least silence that is one. After no time at all every attempt would have been silent.
const LEAST_STALL: Duration = Duration::from_millis(1);

/// The step whose expression is evaluated.
pub(super) struct Evaluated<'a> {
    pub(super) attempt: Attempt,
    pub(super) ids: StepIds<'a>,
    pub(super) limits: Limits,
    /// Where its expression is a transaction.
    pub(super) transaction: Option<Arc<InTransaction>>,
}

/// How long an attempt may take, and how long it may send no heartbeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) timeout: Option<Duration>,
    pub(super) stall: Option<Duration>,
}

impl Limits {
    /// When an attempt is over at the latest that does nothing at all.
    #[cfg(feature = "testing")]
    pub(super) fn shortest(self) -> Option<Duration> {
        self.timeout.into_iter().chain(self.stall).min()
    }
}

/// Evaluates one attempt: a panic and a timeout are failures like any other.
pub(super) async fn evaluate<T>(
    run: &Arc<LiveRun>,
    step: Evaluated<'_>,
    expression: &mut Expression<'_, T>,
) -> Result<T> {
    let Limits { timeout, stall } = step.limits;
    let seq = step.attempt.seq;
    let transaction = step.transaction;
    let current = CurrentStep {
        attempt: step.attempt,
        transaction: transaction.clone(),
        published: PublishedHere::default(),
    };
    let clock = &run.host.clock;
    let limit = timeout.map(|timeout| (timeout, clock.now().after(timeout)));
    let stall = stall.map(|stall| (stall.max(LEAST_STALL), clock.now()));
    let expression = watched(run, step.ids, limit, expression);
    let mut expression = pin!(CURRENT_STEP.scope(current, expression));
    if limit.is_none() && stall.is_none() {
        return finished(expression.await.0);
    }
    tokio::select! {
        biased;
        (outcome, overran) = &mut expression => match finished(outcome) {
            Ok(late) if overran && !is_committed(transaction.as_deref()) => {
                panic::discard(late);
                Err(timed_out(limit.map(|(timeout, _)| timeout), "; it blocked its thread, so the timeout was noticed only when it \
                     returned"))
            }
            outcome => outcome,
        },
        error = over(run, seq, limit, stall) => {
            // Of one that may be committed by now nothing can be said before it has ended.
            if transaction.is_some_and(|transaction| transaction.ends()) {
                return finished(expression.await.0);
            }
            Err(error)
        }
    }
}

fn is_committed(transaction: Option<&InTransaction>) -> bool {
    transaction.is_some_and(|transaction| transaction.committed().is_some())
}

fn timed_out(after: Option<Duration>, how: &str) -> Error {
    let after = after.unwrap_or_default();
    Error::new(
        ErrorKind::TimedOut,
        format!("timed out after {after:?}{how}"),
    )
}

/// Returns when the time of an attempt is over, or it was silent for too long.
async fn over(
    run: &LiveRun,
    seq: u32,
    limit: Option<(Duration, Timestamp)>,
    stall: Option<(Duration, Timestamp)>,
) -> Error {
    let timeout = async {
        match limit {
            Some((timeout, deadline)) => {
                run.host.clock.expire_at(deadline).await;
                timed_out(Some(timeout), "")
            }
            None => pending().await,
        }
    };
    let silence = async {
        match stall {
            Some((stall, begun_at)) => {
                silent(run, seq, stall, begun_at).await;
                let text = format!("stalled: no heartbeat came for {stall:?}");
                Error::new(ErrorKind::TimedOut, text)
            }
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        error = timeout => error,
        error = silence => error,
    }
}

/// Returns when the attempt has sent no heartbeat for so long. It is polled whenever the expression is, which sends them.
///
/// The time begins anew with each of them: that the wall clock was set in between makes it neither longer nor shorter.
async fn silent(run: &LiveRun, seq: u32, stall: Duration, begun_at: Timestamp) {
    let clock = &run.host.clock;
    let from = |moment: Timestamp| clock.expire_at(moment.after(stall));
    let mut known: Option<Heard> = None;
    let mut time = from(begun_at);
    poll_fn(|cx| {
        let heard = run.heard(seq);
        if heard != known {
            known = heard;
            time = from(heard.map_or(begun_at, |heard| heard.at));
        }
        while time.as_mut().poll(cx).is_ready() {
            if known.is_none_or(|heard| heard.waiting == 0) {
                return Poll::Ready(());
            }
            // It is the store that takes its time.
            time = from(clock.now());
        }
        Poll::Pending
    })
    .await;
}

/// What an expression came to, or its panic.
fn finished<T>(outcome: Result<Attempted<T>>) -> Result<T> {
    outcome?.map_err(|Caught(error)| error)
}

/// Polls the expression in its place to its end, where a panic is an error, and drops it. Warns, once, of one that keeps its thread
/// in one poll, for a good part of a lease or past its time limit: nothing else has a turn on it then. Tells whether it was the
/// limit.
async fn watched<T>(
    run: &Arc<LiveRun>,
    step: StepIds<'_>,
    limit: Option<(Duration, Timestamp)>,
    expression: &mut Expression<'_, T>,
) -> (Result<Attempted<T>>, bool) {
    let (mut warned, mut overran) = (false, false);
    let mut later = None;
    let clock = &run.host.clock;
    let is_left = |deadline| clock.now() < deadline;
    let outcome = poll_fn(|cx| {
        let since = run.host.looks.so_far();
        // Of one poll alone, so that nothing else that takes time, or sets the clock, is held against the expression.
        let limit = limit.filter(|(_, deadline)| !overran && is_left(*deadline));
        let poll = expression.as_mut().poll(cx);
        if let Some((timeout, deadline)) = limit
            && !is_left(deadline)
        {
            overran = true;
            let ids = run.ids();
            tracing::warn!(
                function = ids.function, run = ids.run, step = step.step(), attempt = step.attempt(), ?timeout,
                "the step blocked its thread past its timeout and counts as timed out; move blocking work into \
                 `tokio::task::spawn_blocking`"
            );
        } else if !warned && !overran && run.host.looks.has_blocked(since) {
            warned = true;
            let ids = run.ids();
            tracing::warn!(
                function = ids.function, run = ids.run, step = step.step(), attempt = step.attempt(),
                "the step blocks its thread and every other task on it; move blocking work into `tokio::task::spawn_blocking`"
            );
        }
        if poll.is_pending() && run.has_beaten() {
            write_heartbeats(run, &mut later, cx);
        }
        poll
    })
    .await;
    drop(later);
    expression.as_mut().clear();
    (outcome, overran)
}

type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Sees to it that the last heartbeat is written that came too soon after another, when the expression sends no more.
fn write_heartbeats(
    run: &Arc<LiveRun>,
    later: &mut Option<Later>,
    cx: &mut std::task::Context<'_>,
) {
    loop {
        if later.is_none() {
            let attempt = CURRENT_STEP.try_with(|step| step.attempt.clone());
            *later = attempt
                .ok()
                .filter(|attempt| run.leaves_beats(attempt.seq))
                .map(|attempt| Box::pin(Arc::clone(run).write_later(attempt)) as Later);
        }
        let Some(writing) = later else { return };
        if writing.as_mut().poll(cx).is_pending() {
            return;
        }
        *later = None;
    }
}

/// The value as it is recorded, and as it is read back: what this attempt returns is what every later one will.
pub(super) fn checked<T: Serialize + DeserializeOwned>(
    value: &T,
    run: &LiveRun,
) -> Result<(Arc<[u8]>, T)> {
    let (bytes, lost) = codec::encode_ok_noticing(value)?;
    let limit = run.host.max_value_bytes;
    if bytes.len() > limit {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the result has {} bytes, over the limit of {limit}: keep it elsewhere and record where, \
                 or raise `max_value_bytes`",
                bytes.len()
            ),
        ));
    }
    match codec::decode::<T>(&bytes) {
        Ok(Decoded::Ok(back)) if lost.is_nothing() => Ok((bytes, back)),
        // What reads such a `null` as what it was is free to.
        Ok(Decoded::Ok(back)) if codec::encode_ok_noticing(&back)?.1 == lost => Ok((bytes, back)),
        Ok(Decoded::Ok(_)) => Err(Error::new(
            ErrorKind::Codec,
            format!("the result would change when read back: {}", lost.reason()),
        )),
        Ok(Decoded::Err(_)) => unreachable!("an envelope written by `encode_ok` holds a value"),
        Err(error) => {
            let wanted = std::any::type_name::<T>();
            let mut text = format!("the result cannot be read back as `{wanted}`: {error}");
            if !lost.is_nothing() {
                text = format!("{text}; {}", lost.reason());
            }
            Err(Error::new(ErrorKind::Codec, text))
        }
    }
}
