//! The one place through which the engine calls user code: a panic there stays there, and comes back as an error.
//!
//! Filters, validators, serde's traits, `Display` and `source` of errors, propagators, hooks and the `Drop` of any of their
//! values are all somebody else's. None of them may end the loop of a worker, a publisher or another run.
//! What cannot be caught is a panic in a `Drop` while another panic unwinds: that aborts the process, as everywhere in Rust.

mod caught;
mod place;
mod shown;

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
};

pub(crate) use caught::quiet;
pub(crate) use place::note_places;
pub(crate) use shown::{MOST_LINKS, chain, source, text};

use crate::error::{Error, ErrorKind, Result};

/// Calls user code; its panic is an error that says what panicked.
pub(crate) fn catch<T>(what: &str, code: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(result) => result,
        Err(payload) => Err(panicked(what, payload)),
    }
}

/// Polls the future to its end and drops it; a panic of either stays here, and one of the future is an error.
pub(crate) async fn catch_future<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut slot = pin!(Some(future));
    to_the_end(slot.as_mut()).await?
}

/// The same for a future in its place, which is empty afterwards. Who goes away before the end has to [`clear`] it.
pub(crate) async fn to_the_end<F: Future>(mut slot: Pin<&mut Option<F>>) -> Result<F::Output> {
    let outcome = poll_fn(|cx| poll(slot.as_mut(), cx)).await;
    clear(slot);
    outcome
}

/// Polls the future in its place, if there is one; its panic is an error.
pub(crate) fn poll<F: Future>(
    slot: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output>> {
    let Some(future) = slot.as_pin_mut() else {
        return Poll::Pending;
    };
    // After a panic the future is not polled again, so nobody sees what it left half done.
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(panicked("", payload))),
    }
}

/// Drops the future in its place.
pub(crate) fn clear<F>(mut slot: Pin<&mut Option<F>>) {
    if quiet(|| slot.set(None)).is_none() {
        warn_of_drop();
    }
}

/// Drops a value of the user's.
pub(crate) fn discard<T>(value: T) {
    if quiet(|| drop(value)).is_none() {
        warn_of_drop();
    }
}

fn warn_of_drop() {
    tracing::warn!(
        "a value or a future panicked when it was dropped; nothing else is touched by that"
    );
}

/// A future whose drop is caught, whenever it comes.
#[derive(Debug)]
pub(crate) struct Held<F>(Option<Pin<Box<F>>>);

impl<F: Future> Held<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.0 {
            Some(future) => future.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Held<F> {
    fn drop(&mut self) {
        discard(self.0.take());
    }
}

fn panicked(what: &str, payload: Box<dyn Any + Send>) -> Error {
    Error::new(ErrorKind::Panicked, caught::panicked(what, payload))
}

#[cfg(test)]
mod tests;
