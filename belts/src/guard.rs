//! The one place through which the engine calls user code: a panic there stays there, and comes back as an error.
//!
//! Filters, validators, serde's traits, `Display` and `source` of errors, propagators, hooks and the `Drop` of any of their
//! values are all somebody else's. None of them may end the loop of a worker, a publisher or another run.
//! What cannot be caught is a panic in a `Drop` while another panic unwinds: that aborts the process, as everywhere in Rust.

mod place;

use std::{
    any::Any,
    error::Error as StdError,
    fmt::{self, Write as _},
    future::{Future, poll_fn},
    iter::successors,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
};

pub(crate) use place::note_places;

use crate::error::{Error, ErrorKind, Result, terminal::Classified, valued::Valued};

/// The most links of a chain of errors that are looked at; a `source` that returns its own error has no end.
const MOST_LINKS: usize = 100;
/// The most bytes of one text of an error that are kept.
const MOST_TEXT: usize = 16 * 1024;

/// Calls user code; its panic is an error that says what panicked.
pub(crate) fn call<T>(what: &str, code: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(result) => result,
        Err(payload) => Err(panicked(what, payload)),
    }
}

/// Calls user code that has nothing to say about its panic.
pub(crate) fn quiet<T>(code: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => Some(value),
        Err(payload) => {
            forget(payload);
            None
        }
    }
}

/// Polls the future to its end and drops it; a panic of either stays here, and one of the future is an error.
pub(crate) async fn catch_panic<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
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

/// The text of what a user wrote a `Display` for, whatever that does.
pub(crate) fn text(shown: &dyn fmt::Display, alternate: bool) -> String {
    let mut out = Bounded::default();
    let written = call("its `Display`", || {
        let written = if alternate {
            write!(out, "{shown:#}")
        } else {
            write!(out, "{shown}")
        };
        Ok(written.is_ok())
    });
    let Bounded { mut text, full } = out;
    match written {
        Ok(true) => {}
        _ if full => text.push_str(" … (cut off)"),
        Ok(false) => note(&mut text, "its `Display` failed"),
        Err(error) => note(&mut text, &error.to_string()),
    }
    text
}

fn note(text: &mut String, what: &str) {
    if text.is_empty() {
        text.push_str("an error without a text");
    }
    text.push_str(" (");
    text.push_str(what);
    text.push(')');
}

/// A text of limited length.
#[derive(Default)]
struct Bounded {
    text: String,
    full: bool,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MOST_TEXT - self.text.len();
        if more.len() <= room && !self.full {
            self.text.push_str(more);
            return Ok(());
        }
        if !self.full {
            self.full = true;
            self.text.push_str(beginning(more, room));
        }
        Err(fmt::Error)
    }
}

/// As much of the text as fits into so many bytes.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// An error and its sources, outermost first.
pub(crate) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |error| source(*error)).take(MOST_LINKS)
}

/// As [`chain`], and behind each error those that it prints in its own place.
pub(crate) fn links<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    chain(error)
        .flat_map(|link| successors(Some(link), |link| held(*link)))
        .take(MOST_LINKS)
}

/// The error that one of ours carries and prints in its own place.
fn held<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let classified = || Some(error.downcast_ref::<Classified>()?.inner());
    let valued = || Some(error.downcast_ref::<Valued>()?.inner());
    let own = error.downcast_ref::<Error>();
    own.and_then(Error::held)
        .or_else(classified)
        .or_else(valued)
}

/// The source of an error; none where asking for it panics.
pub(crate) fn source<'a>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a (dyn StdError + 'static)> {
    quiet(|| error.source()).flatten()
}

fn panicked(what: &str, payload: Box<dyn Any + Send>) -> Error {
    let text = place::text_of(&*payload);
    forget(payload);
    let place = place::take(text.as_deref()).map(|place| format!(", at {place}"));
    let (text, place) = (text.as_deref(), place.as_deref());
    let space = if what.is_empty() { "" } else { " " };
    Error::new(
        ErrorKind::Panicked,
        format!(
            "{what}{space}panicked: {}{}",
            text.unwrap_or("with a value that is not text"),
            place.unwrap_or_default()
        ),
    )
}

/// Drops what a panic carried, which may panic in turn.
fn forget(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

#[cfg(test)]
mod tests;
