//! Claiming what is due: one run by its name, or whatever there is room for, again and again.

use std::{sync::Arc, time::Duration};

use super::{Shared, slots::Reservation};
use crate::{
    clock::Timestamp,
    error::{ErrorKind, Result},
    panic::catch_future,
    store::{Claim, finish::to_the_end_at},
};

/// How often the store is asked at most which of the runs that are driven are no longer ours.
const LOOK_FOR_REVOKED: Duration = Duration::from_millis(250);

/// Waits between attempts to reach a store that fails.
const STORE_BACKOFF: crate::Backoff =
    crate::Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// The most bytes of events and journals that one claim brings.
const MAX_CLAIM_BYTES: usize = 64 * 1024 * 1024;

impl Shared {
    /// Claims one run by name; whether it is now driven here.
    pub(crate) async fn claim_run(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function: usize,
    ) -> Result<bool> {
        let mut reservation = self.slots.reserve(std::iter::once(function), true);
        let claim = Claim::new(
            reservation.capacity(self.session().await?),
            self.clock.now(),
        )
        .with_only(Arc::clone(run_id))
        .with_max_bytes(MAX_CLAIM_BYTES);
        let worker = Arc::clone(self);
        to_the_end_at(self.loops.home(), async move {
            Ok(worker.claim(claim, &mut reservation).await?.runs > 0)
        })
        .await
    }

    /// Claims, and drives what it got.
    async fn claim(
        self: &Arc<Self>,
        claim: Claim,
        reservation: &mut Reservation,
    ) -> Result<TakenOn> {
        let mut asking = self.ask().await;
        let life = self.host.lease.life();
        let claimed = self.store.claim(claim).await;
        if claimed.is_err() {
            asking.answered(&claimed);
        }
        let claimed = claimed?;
        let next_due = claimed.next_due;
        let runs = self.take_on(claimed, reservation, life).await;
        // Only now: what is cut off before leaves runs that nobody drives.
        asking.answered(&Ok(()));
        Ok(TakenOn { runs, next_due })
    }

    /// Claims whatever is due, until the shutdown begins.
    pub(crate) async fn claim_forever(self: &Arc<Self>) {
        let mut failures = 0;
        let mut look = self.clock.now();
        while !self.is_draining() {
            let now = self.clock.now();
            // Later than it can be where the clock was set back.
            if look <= now || look.since(now) > LOOK_FOR_REVOKED {
                look = now.after(LOOK_FOR_REVOKED);
                if let Err(error) = catch_future(self.end_revoked()).await {
                    tracing::warn!(error = %error.report(), "cannot check for cancelled runs; trying again");
                }
            }
            if let Err(error) = catch_future(self.bring_arrivals()).await {
                tracing::warn!(error = %error.report(), "cannot look for what runs wait for; trying again");
            }
            let wait = match catch_future(self.claim_due()).await {
                Ok(wait) => {
                    failures = 0;
                    wait
                }
                Err(error) => {
                    failures += 1;
                    if error.kind() == ErrorKind::Busy {
                        let again = async {
                            self.begin_again().await;
                            Ok(())
                        };
                        drop(catch_future(again).await);
                    }
                    tracing::error!(error = %error.report(), "cannot claim runs; trying again");
                    let pause = STORE_BACKOFF.ceiling(failures);
                    tokio::select! {
                        () = self.clock.expire_at(self.clock.now().after(pause)) => {}
                        () = self.shutdown.begun() => {}
                    }
                    continue;
                }
            };
            self.wait_for_work(wait).await;
        }
    }

    /// Claims as much as there is room for; what to wait for then.
    async fn claim_due(self: &Arc<Self>) -> Result<Wait> {
        self.give_back_unheard().await?;
        let mut reservation = self.slots.reserve_all();
        if reservation.is_empty() && !self.registry.functions().is_empty() {
            return Ok(Wait::ForRoom);
        }
        let some_left_out = reservation.leaves_out(&self.registry);
        self.due.begin_claim();
        let claim = Claim::new(
            reservation.capacity(self.session().await?),
            self.clock.now(),
        )
        .with_max_bytes(MAX_CLAIM_BYTES);
        let worker = Arc::clone(self);
        to_the_end_at(self.loops.home(), async move {
            let TakenOn { next_due, runs } = worker.claim(claim, &mut reservation).await?;
            worker.due.end_claim(next_due);
            worker.show_oldest_due();
            drop(reservation);
            // A claim brings so many bytes and no more; there may be room for what it left.
            let backlog = next_due.is_some_and(|due| due <= worker.clock.now());
            if backlog && runs > 0 && !worker.slots.is_full() {
                return Ok(Wait::Not);
            }
            Ok(Wait::ForWork {
                next_due,
                some_left_out,
            })
        })
        .await
    }

    /// Shows for how long the oldest run is due that the last claim left, or that was published here without room for it.
    fn show_oldest_due(&self) {
        let age = self.clock.now().since(self.due.oldest());
        self.metrics.oldest_due.set(age.as_secs_f64());
    }

    /// Returns when there may be something to claim and room for it.
    async fn wait_for_work(&self, wait: Wait) {
        let (next_due, some_left_out) = match wait {
            Wait::Not => return tokio::task::yield_now().await,
            Wait::ForRoom => return self.wait_for_room().await,
            Wait::ForWork {
                next_due,
                some_left_out,
            } => (next_due, some_left_out),
        };
        let now = self.clock.now();
        let sweep = now.after(self.options().sweep);
        let backlog = next_due.is_some_and(|due| due <= now);
        let deadline = next_due
            .filter(|due| *due > now)
            .into_iter()
            .chain([self.due.expected().max(now), sweep])
            .min();
        tokio::select! {
            () = self.due.notified() => {}
            () = self.woken() => {}
            // What has ended here may have been what others in its line waited for.
            () = self.slots.freed(), if backlog || some_left_out || self.registry.has_lanes() => {}
            () = self.clock.expire_at(deadline.unwrap_or(sweep)) => {}
            () = self.shutdown.begun() => {}
        }
    }

    /// Returns when the store says that there is something to do. Where it panics, only the sweep finds it.
    async fn woken(&self) {
        let woken = async {
            self.store.woken().await;
            Ok(())
        };
        if let Err(error) = catch_future(woken).await {
            tracing::error!(error = %error.report(), "the store panicked in `woken`; due runs are now found by the sweep alone");
            std::future::pending::<()>().await;
        }
    }

    async fn wait_for_room(&self) {
        self.show_oldest_due();
        let sweep = self.clock.now().after(self.options().sweep);
        tokio::select! {
            () = self.slots.freed() => {}
            // A run may have been cancelled, or a lease be in doubt.
            () = self.woken() => {}
            () = self.due.notified() => {}
            // To show again how old the oldest is, and to look for what was cancelled.
            () = self.clock.expire_at(sweep) => {}
            () = self.shutdown.begun() => {}
        }
    }
}

/// What a claim brought: how many runs are now driven, and when the next is due.
struct TakenOn {
    runs: usize,
    next_due: Option<Timestamp>,
}

/// What the claiming loop waits for.
enum Wait {
    /// It does not wait: there is more to claim.
    Not,
    /// Every place is taken.
    ForRoom,
    /// Something due, with what the last claim left behind: the time of the next run, and whether functions without a
    /// free place were left out.
    ForWork {
        next_due: Option<Timestamp>,
        some_left_out: bool,
    },
}
