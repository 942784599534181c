//! Whether a run whose steps all wait for a time far away may leave memory: not while its function awaits something else,
//! such as an answer against a time limit, which would be lost with it.
//!
//! The function is polled with a waker of its own. Whoever may still wake it holds a clone of that, and a parked step holds
//! one that is known; so the clones beyond those are what else is awaited. Two things look the same and are not:
//!
//! - A clone that was left behind by what nobody awaits any more. Before a run stays, its function is polled once with a
//!   new waker, of which only what is still awaited takes clones.
//! - The clone of something like `FuturesUnordered`, which polls its futures with wakers of their own and holds one of ours
//!   for all of them, parked steps among them. Whether the others are awaited too cannot be seen from outside. Such a run
//!   stays for [`GRACE`] from when something last woke it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{driver::Drive, watch::Others};

/// How long a run stays of which it is not known whether it awaits anything but steps.
const GRACE: Duration = Duration::from_secs(1);
/// When a run that stays is worth a line in the log.
const LONG: Duration = Duration::from_secs(60);

/// What becomes of a run whose steps all wait for a time far away.
pub(super) enum StayVerdict {
    Leave,
    /// The function is to be polled once more.
    Again,
    Stay,
}

/// How long a run has stayed.
#[derive(Default)]
pub(super) struct Stay {
    /// Whether the function was polled with a new waker since something last woke it.
    renewed: bool,
    told: bool,
    until: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Stay {
    /// Something woke the function.
    pub(super) fn woken(&mut self) {
        if self.until.take().is_some() {
            self.renewed = false;
        }
    }

    /// The run is not idle.
    pub(super) fn moved_on(&mut self) {
        self.until = None;
        self.renewed = false;
    }

    pub(super) fn verdict(&mut self, drive: &Drive<'_>, cx: &mut Context<'_>) -> StayVerdict {
        let others = drive.watch.others(drive.run);
        if others == Others::Nothing || drive.may_not_stay() {
            return StayVerdict::Leave;
        }
        if !self.renewed {
            self.renewed = true;
            drive.watch.renew();
            return StayVerdict::Again;
        }
        let until = self.until.get_or_insert_with(|| drive.stays(others));
        if until.as_mut().poll(cx) == Poll::Pending {
            return StayVerdict::Stay;
        }
        self.until = None;
        if others == Others::Perhaps || drive.may_not_stay() {
            return StayVerdict::Leave;
        }
        if !std::mem::replace(&mut self.told, true) {
            let ids = drive.run.ids();
            tracing::warn!(
                function = ids.function,
                run = ids.run,
                "the run cannot be suspended, because its function awaits something other than a step during a long sleep; \
                 move that into a step, or give it a timeout"
            );
        }
        // Without a loop nobody else does.
        drive.run.ask_for_arrivals();
        let until = self.until.insert(drive.stays(others));
        // Registers the driver.
        match until.as_mut().poll(cx) {
            Poll::Pending => StayVerdict::Stay,
            Poll::Ready(()) => StayVerdict::Leave,
        }
    }
}

impl Drive<'_> {
    fn may_not_stay(&self) -> bool {
        let now = self.worker.clock.now();
        self.worker.is_draining() || self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Returns when it is time to look again: the worker's own clock may stand still.
    #[expect(clippy::disallowed_methods, reason = "the worker's own pause")]
    fn stays(&self, others: Others) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (worker, deadline) = (Arc::clone(self.worker), self.deadline);
        let pause = if others == Others::Perhaps {
            GRACE
        } else {
            LONG
        };
        Box::pin(async move {
            let handed_on = async {
                match deadline {
                    Some(deadline) => worker.clock.expire_at(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = worker.shutdown.begun() => {}
                () = handed_on => {}
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run was idle, then had a step under way on another task, then was idle again, and left memory at once: its second of
    /// grace had begun the first time.
    #[test]
    fn a_run_that_moved_on_is_given_its_whole_grace_again() {
        let mut stay = Stay {
            renewed: true,
            told: false,
            until: Some(Box::pin(std::future::ready(()))),
        };
        stay.moved_on();
        assert!(stay.until.is_none() && !stay.renewed);
    }
}
