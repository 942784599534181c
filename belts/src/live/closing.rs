//! What is left of a run that was cancelled where its function says `on_cancel = "finish"`: the steps that run come to their end, and
//! nothing else goes on.

use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::Ordering,
    task::{Poll, Waker},
};

use super::run::LiveRun;

/// An expression that is being evaluated, until this is dropped.
pub(crate) struct Evaluating<'a>(&'a LiveRun);

impl Drop for Evaluating<'_> {
    fn drop(&mut self) {
        self.0.evaluating.fetch_sub(1, Ordering::AcqRel);
    }
}

impl LiveRun {
    /// Counts an expression as being evaluated until the guard is dropped.
    pub(crate) fn evaluating(&self) -> Evaluating<'_> {
        self.evaluating.fetch_add(1, Ordering::AcqRel);
        Evaluating(self)
    }

    pub(crate) fn is_evaluating(&self) -> bool {
        self.evaluating.load(Ordering::Acquire) > 0
    }

    /// From here on no step begins, and none waits for what it would have recorded before its end.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        let watching = std::mem::take(&mut self.state().watching);
        watching.into_iter().for_each(Waker::wake);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Returns once everything is durable that a running step left to be recorded, or when nothing more of that is recorded before the
    /// step's end.
    pub(super) async fn recorded_for_step(&self) {
        let mut recorded = pin!(self.all_recorded());
        poll_fn(|cx| {
            // It leaves its waker first: whoever closes the run wakes it.
            if recorded.as_mut().poll(cx).is_ready() || self.is_closing() {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}
