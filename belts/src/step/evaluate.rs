//! One attempt of a step: its expression polled to the end, and its value as it will be recorded.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::{self, Outcome},
    error::{Error, ErrorKind, Result},
    guard,
    plain::Clean,
    publish::PublishedHere,
    worker::live::{CURRENT_STEP, CurrentStep, LiveRun},
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

/// Evaluates one attempt: a panic and a timeout are failures like any other.
pub(super) async fn evaluate<T, F: Future<Output = Result<T>>>(
    run: &Arc<LiveRun>,
    path: &Arc<str>,
    timeout: Option<Duration>,
    expression: Pin<&mut Option<F>>,
) -> Result<T> {
    let step = CurrentStep {
        path: Arc::clone(path),
        published: PublishedHere::default(),
    };
    let expression = CURRENT_STEP.scope(step, watched(run, path, guard::to_the_end(expression)));
    let Some(timeout) = timeout else {
        return expression.await?;
    };
    let clock = &run.worker.clock;
    let expired = clock.expire_at(clock.now().after(timeout));
    tokio::select! {
        biased;
        outcome = expression => outcome?,
        () = expired => Err(Error::new(ErrorKind::TimedOut, format!("timed out after {timeout:?}"))),
    }
}

/// Warns, once, of an expression that keeps its thread for a good part of a lease in one poll: nothing else has a turn on it then.
async fn watched<F: Future>(run: &LiveRun, path: &str, expression: F) -> F::Output {
    let (mut expression, mut warned) = (pin!(expression), false);
    poll_fn(|cx| {
        let since = run.worker.looks();
        let poll = expression.as_mut().poll(cx);
        if !warned && run.worker.has_blocked(since) {
            warned = true;
            tracing::warn!(
                function = %run.function_id, run = %run.run_id, step = %Clean(path),
                "the step blocks its thread, and with it whatever else would run there; put what blocks into \
                 `tokio::task::spawn_blocking`"
            );
        }
        poll
    })
    .await
}

/// The value as it is recorded, and as it is read back: what this attempt returns is what every later one will.
pub(super) fn checked<T: Serialize + DeserializeOwned>(
    value: &T,
    run: &LiveRun,
) -> Result<(Arc<[u8]>, T)> {
    let (bytes, lost) = codec::encode_ok_noticing(value)?;
    let limit = run.worker.max_value_bytes;
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
        Ok(Outcome::Ok(back)) if lost.is_nothing() => Ok((bytes, back)),
        // What reads such a `null` as what it was is free to.
        Ok(Outcome::Ok(back)) if codec::encode_ok_noticing(&back)?.1 == lost => Ok((bytes, back)),
        Ok(Outcome::Ok(_)) => Err(Error::new(
            ErrorKind::Codec,
            format!("the result would not come back as it is: {}", lost.reason()),
        )),
        Ok(Outcome::Err(_)) => unreachable!("an envelope written by `encode_ok` holds a value"),
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
