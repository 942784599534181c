//! The worker's session in the store: registered when first needed, kept alive while the worker lives.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::OnceCell;

use super::{Shared, pulse::Pulse};
use crate::{
    clock::Timestamp,
    error::{ErrorKind, Result},
    store::{Register, SharedStore, WorkerId},
};

/// The worker's session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) lease: Duration,
    current: OnceCell<AtomicI64>,
    /// Until when the lease lasts, in milliseconds.
    until: AtomicI64,
    /// How often a session began, or lived again after its end; what was claimed in an earlier life may be lost.
    life: AtomicU64,
    pub(super) pulse: Arc<Pulse>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.pulse.stop();
    }
}

impl Session {
    pub(crate) fn new(name: Option<Arc<str>>, lease: Duration) -> Self {
        Self {
            name,
            lease,
            current: OnceCell::new(),
            until: AtomicI64::new(i64::MIN),
            life: AtomicU64::new(0),
            pulse: Arc::default(),
        }
    }
}

impl Shared {
    /// How long a dead worker's runs may have to wait.
    #[cfg(feature = "http")]
    pub(crate) fn lease(&self) -> Duration {
        self.session.lease
    }

    /// The session, registered at the first call and alive for a good part of a lease.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<WorkerId> {
        let cell = self
            .session
            .current
            .get_or_try_init(|| async {
                let id = self.register(&self.store).await?;
                self.watch_renewal();
                Ok::<_, crate::Error>(AtomicI64::new(id.0))
            })
            .await?;
        self.ensure_renewal();
        let worker = WorkerId(cell.load(Ordering::Acquire));
        if self.lease_left() * 2 > self.session.lease {
            Ok(worker)
        } else {
            self.renew(worker).await
        }
    }

    /// The session, if there is one.
    pub(crate) fn present_session(&self) -> Option<WorkerId> {
        self.session
            .current
            .get()
            .map(|id| WorkerId(id.load(Ordering::Acquire)))
    }

    /// What [`keeps_leases`](Self::keeps_leases) asks for, of runs that are claimed now.
    pub(crate) fn session_life(&self) -> u64 {
        self.session.life.load(Ordering::Acquire)
    }

    /// How long others still wait for a sign of life, as far as this worker knows.
    pub(super) fn lease_left(&self) -> Duration {
        self.lease_left_at(self.clock.now())
    }

    fn lease_left_at(&self, now: Timestamp) -> Duration {
        let until = self.session.until.load(Ordering::Acquire);
        let left = Timestamp::from_millis(until).since(now);
        // After a clock was set back nobody here knows; the store, or another worker, may go by another.
        if left > self.session.lease {
            Duration::ZERO
        } else {
            left
        }
    }

    /// Whether leases of that life hold now, for all that this worker knows. If not, the store has to be asked: the process, or the
    /// machine, stood still for longer than a lease, and others may have taken its runs.
    pub(crate) fn keeps_leases(&self, life: u64, now: Timestamp) -> bool {
        !self.lease_left_at(now).is_zero() && self.session_life() == life
    }

    /// Notes that the store counts the lease from `now`; `anew` if others may have taken runs that were claimed before.
    fn extend(&self, now: Timestamp, anew: bool) {
        // Whoever sees the new end of the lease sees the new life as well.
        if anew {
            self.session.life.fetch_add(1, Ordering::AcqRel);
        }
        self.session
            .until
            .store(now.after(self.session.lease).as_millis(), Ordering::Release);
    }

    /// Renews the session, or begins a new one where the store has forgotten it; a failure shows at the next call.
    pub(crate) async fn begin_again(&self) {
        if let Some(session) = self.present_session()
            && let Err(error) = self.renew(session).await
        {
            tracing::warn!(error = %error.report(), "cannot begin a new session");
        }
    }

    async fn register(&self, store: &SharedStore) -> Result<WorkerId> {
        let now = self.clock.now();
        let request = Register {
            name: self.session.name.clone(),
            subscriptions: self.registry.subscriptions(),
            now,
            lease: self.session.lease,
        };
        let worker = store.register(request).await?;
        self.extend(now, true);
        Ok(worker)
    }

    pub(super) async fn renew(&self, worker: WorkerId) -> Result<WorkerId> {
        self.renew_by(&self.store, worker).await
    }

    /// Renews the lease, or begins a new session where the store has forgotten this one.
    pub(super) async fn renew_by(&self, store: &SharedStore, worker: WorkerId) -> Result<WorkerId> {
        let now = self.clock.now();
        let ended = self.session.until.load(Ordering::Acquire) <= now.as_millis();
        match store.renew(worker, now, self.session.lease).await {
            Ok(()) => {
                self.extend(now, ended);
                Ok(worker)
            }
            // One that ends needs no other session: nothing is claimed by it any more.
            Err(error) if error.kind() == ErrorKind::Busy && !self.is_draining() => {
                tracing::warn!("the worker's session had ended in the store; it begins a new one");
                let worker = self.register(store).await?;
                if let Some(current) = self.session.current.get() {
                    current.store(worker.0, Ordering::Release);
                }
                Ok(worker)
            }
            Err(error) => Err(error),
        }
    }
}
