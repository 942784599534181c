//! The leases of this worker: of runs that it drives, of those of which it may never have heard, and of those that it has lost.

use std::{
    collections::HashMap,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use super::{
    driven::{Driven, DrivenRun},
    ended::Ended,
    ledger::Ledger,
    shared::Shared,
};
use crate::{
    clock::Timestamp,
    codec::sealed::Closed,
    error::{Error, ErrorKind, Result},
    live::LiveRun,
    store::{Lease, Release},
};

/// A drive that is younger is not looked for in the store; so runs that end soon cost nothing.
const YOUNG: Duration = Duration::from_millis(500);

/// How long a request that may bring leases waits for others, where there are doubts to be settled.
const MOMENT: Duration = Duration::from_millis(100);

/// A run that is driven here, until this is dropped.
#[derive(Debug)]
pub(crate) struct Driving {
    worker: Arc<Shared>,
    run_id: Arc<str>,
    lease: Lease,
    /// Whether the store has heard how the drive ended. If not, it may lease the run to this worker for ever.
    over: bool,
    /// Whether the drive came to its end at all.
    ended: bool,
}

impl Driving {
    pub(crate) fn new(worker: &Arc<Shared>, run_id: &Arc<str>, lease: Lease) -> Self {
        let drive = DrivenRun {
            since: worker.clock.now(),
            run: Weak::new(),
            lost: false,
        };
        worker
            .driven
            .change(|ledger| ledger.drive(run_id, lease, drive));
        Self {
            worker: Arc::clone(worker),
            run_id: Arc::clone(run_id),
            lease,
            over: false,
            ended: false,
        }
    }

    /// Notes that the drive came to its end.
    pub(crate) fn end(mut self, ended: &Ended) {
        // A lease that had ended when a write was refused may live again: a renewal that was sent earlier can reach the
        // store later.
        self.over = *ended != Ended::Abandoned;
        self.ended = true;
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        let unsure = !self.over;
        let (run_id, lease) = (&self.run_id, self.lease);
        self.worker
            .driven
            .change(|ledger| ledger.leave(run_id, lease, unsure));
        if unsure {
            self.worker.tell_of_doubts();
        }
        // One that was cut off, as by the end of its runtime.
        if !self.ended && !self.worker.is_draining() {
            self.worker.tell(&self.run_id, &Ended::Abandoned);
        }
    }
}

/// A request under way whose answer may bring leases, until its runs are driven.
#[derive(Debug)]
pub(crate) struct Asking {
    worker: Arc<Shared>,
    unsure: bool,
}

impl Asking {
    fn begun(worker: &Arc<Shared>) -> Self {
        Self {
            worker: Arc::clone(worker),
            unsure: true,
        }
    }

    /// Notes what was answered. Without an answer the store may have leased runs all the same.
    pub(crate) fn answered<T>(&mut self, answer: &Result<T>) {
        // A session that the store does not know gets no leases.
        let refused = |error: &Error| error.kind() == ErrorKind::Busy;
        self.unsure = answer.as_ref().is_err_and(|error| !refused(error));
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let unsure = self.unsure;
        let doubts = self.worker.driven.change(|ledger| {
            ledger.heard(unsure);
            ledger.can_settle()
        });
        if doubts {
            self.worker.driven.calm.notify_waiters();
            self.worker.tell_of_doubts();
        }
    }
}

/// The lease of a drive that has ended and that is given back on its own, until this is dropped.
#[derive(Debug)]
pub(super) struct Resting {
    worker: Arc<Shared>,
    lease: Lease,
    pub(super) given_back: bool,
}

impl Drop for Resting {
    fn drop(&mut self) {
        let (lease, unsure) = (self.lease, !self.given_back);
        let driven = &self.worker.driven;
        driven.change(|ledger| ledger.rested(lease, unsure));
        if unsure {
            self.worker.tell_of_doubts();
        }
    }
}

/// Lets others ask again.
struct Settling<'a>(&'a Driven, Option<u64>);

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.0.change(|ledger| ledger.settle(self.1));
        self.0.calm.notify_waiters();
    }
}

impl Shared {
    pub(crate) fn drives(&self, run_id: &str) -> bool {
        self.driven.change(|ledger| ledger.drives(run_id))
    }

    /// Makes a run that is driven known, so that it can be told that it is no longer ours.
    pub(super) fn attach(&self, lease: Lease, run: &Arc<LiveRun>) {
        let lost = self.driven.change(|ledger| {
            let drive = ledger.about(&run.run_id, lease)?;
            drive.run = Arc::downgrade(run);
            Some(drive.lost)
        });
        // It was cancelled before its drive had its first turn. If it was claimed since, to be undone, its writes say whose it is.
        if lost.unwrap_or(false) && !run.is_undoing() {
            run.lose_lease();
        }
    }

    /// To be held from before a request that may bring leases until its runs are driven.
    pub(crate) async fn ask(self: &Arc<Self>) -> Asking {
        self.give_way().await;
        loop {
            let mut calm = std::pin::pin!(self.driven.calm.notified());
            calm.as_mut().enable();
            if self.driven.change(Ledger::ask) {
                return Asking::begun(self);
            }
            calm.await;
        }
    }

    /// Lets those who ask come to their end while there are doubts, and settles these, so that under load there is a moment for
    /// it. A request that hangs holds nobody up for longer than a moment.
    async fn give_way(self: &Arc<Self>) {
        let mut calm = std::pin::pin!(self.driven.calm.notified());
        calm.as_mut().enable();
        if self.driven.change(|ledger| ledger.is_overtaken()) {
            drop(tokio::time::timeout(MOMENT, calm).await);
        }
        if self.driven.change(|ledger| ledger.can_settle()) {
            // Where it fails, the request itself says so.
            drop(self.give_back_unheard().await);
        }
    }

    /// As [`ask`](Self::ask), for a request that can do without leases; `None` if it has to.
    pub(crate) fn ask_lightly(self: &Arc<Self>) -> Option<Asking> {
        let asks = self.driven.change(Ledger::ask_lightly);
        asks.then(|| Asking::begun(self))
    }

    /// Keeps the lease of a drive that ends from being given back with others, until the answer is dropped.
    pub(super) fn rest(self: &Arc<Self>, lease: Lease) -> Resting {
        self.driven.change(|ledger| ledger.rest(lease));
        Resting {
            worker: Arc::clone(self),
            lease,
            given_back: false,
        }
    }

    /// Wakes those who settle doubts, if there are any.
    fn tell_of_doubts(&self) {
        if self.driven.change(|ledger| ledger.can_settle()) {
            self.session.pulse.ask();
            self.due.notify();
        }
    }

    /// Gives back the runs that the store may have leased to this worker in a request that failed, or for a drive that was cut
    /// off.
    ///
    /// To the store they would be in good hands for as long as the worker lives, and nobody would drive them. While a request is
    /// under way that may bring leases this does nothing: whoever ends the last of them calls again.
    pub(crate) async fn give_back_unheard(&self) -> Result<()> {
        if self.shutdown.is_over() {
            return Ok(());
        }
        let Some(worker) = self.present_session() else {
            return Ok(());
        };
        let Some((keep, doubts)) = self.driven.change(Ledger::begin_to_settle) else {
            return Ok(());
        };
        let mut settling = Settling(&self.driven, None);
        let now = self.clock.now();
        let released = self.store.release(Release { worker, keep, now }).await?;
        settling.1 = Some(doubts);
        drop(settling);
        if released > 0 {
            tracing::warn!(
                runs = released,
                "released runs that were leased to this worker but not driven by it"
            );
        }
        // What came up meanwhile is settled next.
        self.tell_of_doubts();
        if released > 0 {
            self.due.notify();
        }
        Ok(())
    }

    /// Tells the drives of a run that it is no longer theirs, since it was cancelled. Those that undo it go on: they may have begun since,
    /// in consequence of that very cancel.
    pub(crate) fn revoke(&self, run_id: &str) {
        let live = |ledger: &mut Ledger<DrivenRun>| -> Vec<_> {
            let drives = ledger.of_run_mut(run_id);
            let drives = drives.filter(|(_, drive)| !drive.undoes());
            drives.filter_map(|(_, drive)| drive.lose()).collect()
        };
        for run in self.driven.change(live) {
            run.lose_lease();
        }
    }

    /// Tells the runs that are driven and wait of what has arrived for them.
    pub(crate) async fn bring_arrivals(&self) -> Result<()> {
        // One that is reached only now has its store asked on its own.
        if self.host.open_waits.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let driven: Vec<(Lease, Arc<LiveRun>)> = self.driven.change(|ledger| {
            let live = ledger.all();
            live.filter_map(|(lease, drive)| Some((*lease, drive.run.upgrade()?)))
                .collect()
        });
        // Outside of the ledger, to which what a run holds may come back.
        let driven = driven.into_iter();
        let waiting: HashMap<Lease, _> = driven.filter(|(_, run)| run.has_open_waits()).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let leases: Vec<Lease> = waiting.keys().copied().collect();
        for (lease, arrivals) in self.store.arrived(&leases).await? {
            // One that asks by itself tells of what it cannot open.
            if let Some(run) = waiting.get(&lease)
                && Closed::in_arrivals(&arrivals).is_none()
            {
                run.bring(arrivals);
            }
        }
        Ok(())
    }

    /// Asks the store which drives go on although their lease stands no longer, and ends them.
    pub(crate) async fn end_revoked(&self) -> Result<()> {
        let now = self.clock.now();
        let old = now.before(YOUNG);
        let leases = self.driven.change(|ledger| -> Vec<_> {
            // One that began later than now began before the clock was set back.
            let is_old = |since: Timestamp| since <= old || since > now;
            let old = ledger.all().filter(|(_, drive)| is_old(drive.since));
            old.map(|(lease, _)| *lease).collect()
        });
        if leases.is_empty() {
            return Ok(());
        }
        let revoked = self.store.revoked(&leases).await?;
        if revoked.is_empty() {
            return Ok(());
        }
        let live = self.driven.change(|ledger| -> Vec<_> {
            let lost = ledger
                .all_mut()
                .filter(|(lease, _)| revoked.contains(lease));
            lost.filter_map(|(_, drive)| drive.lose()).collect()
        });
        for run in live {
            run.lose_lease();
        }
        Ok(())
    }
}
