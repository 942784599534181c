//! `on_cancel = "finish"`: the steps that run while their run is cancelled come to their end before the function is dropped.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::{driver::Drive, waker::FunctionWaker};
use crate::{
    error::Result,
    function::OnCancel,
    panic::{self, Held},
    store::StepState,
};

impl Drive<'_> {
    /// Returns once no step runs any more, or the grace period is over; at once where the function does not ask for that.
    ///
    /// A lease that was lost to another worker is no different from one that a cancel took: no store says which it was.
    pub(super) async fn let_steps_finish<F: Future<Output = Result<std::sync::Arc<[u8]>>>>(
        &self,
        function: &mut Held<F>,
        (waker, function_waker): (&FunctionWaker, &Waker),
    ) {
        let finishes = self.function.options.on_cancel == OnCancel::Finish;
        if !finishes || self.run.is_undoing() || !self.run.is_evaluating() {
            return;
        }
        self.run.close();
        let clock = &self.worker.clock;
        let grace = self.worker.options().grace;
        let mut over = pin!(clock.expire_at(clock.now().after(grace)));
        waker.poll_again();
        let in_time = poll_fn(|cx| {
            while waker.take_woken() {
                let polled = function.poll(&mut Context::from_waker(function_waker));
                if let Poll::Ready(outcome) = polled {
                    panic::discard(outcome);
                    return Poll::Ready(true);
                }
                if !self.run.is_evaluating() {
                    return Poll::Ready(true);
                }
            }
            if over.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            if waker.wait(cx.waker()) {
                return Poll::Pending;
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.tell_of_steps(in_time);
    }

    fn tell_of_steps(&self, in_time: bool) {
        let ids = self.run.ids();
        if !in_time {
            tracing::warn!(
                function = ids.function,
                run = ids.run,
                grace = ?self.worker.options().grace,
                "a step of a run that was cancelled or lost its lease took longer than the grace period, and was dropped"
            );
        }
        if !self.run.has_lost_lease() {
            return;
        }
        let left = self.run.take_outbox().entries;
        for entry in left
            .iter()
            .filter(|entry| entry.state != StepState::Waiting)
        {
            tracing::warn!(
                function = ids.function,
                run = ids.run,
                step = %entry.path,
                "a step ended after its run was cancelled or had lost its lease; its result is not recorded"
            );
        }
    }
}
