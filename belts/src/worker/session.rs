//! The worker's session in the store: registered when first needed, kept alive while the worker lives.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::OnceCell;

use super::Shared;
use crate::{
    clock::Timestamp,
    error::{ErrorKind, Result},
    store::{Register, WorkerId},
};

/// The worker's session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) lease: Duration,
    current: OnceCell<AtomicI64>,
    /// Until when the lease lasts, in milliseconds.
    until: AtomicI64,
    /// How often a session began or began anew; what was claimed in an earlier life is lost.
    life: AtomicU64,
}

impl Session {
    pub(crate) fn new(name: Option<Arc<str>>, lease: Duration) -> Self {
        Self {
            name,
            lease,
            current: OnceCell::new(),
            until: AtomicI64::new(i64::MIN),
            life: AtomicU64::new(0),
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
                let id = self.register().await?;
                tokio::spawn(keep_alive(
                    Arc::downgrade(self),
                    Arc::clone(&self.clock),
                    self.session.lease / 3,
                ));
                Ok::<_, crate::Error>(AtomicI64::new(id.0))
            })
            .await?;
        let worker = WorkerId(cell.load(Ordering::Acquire));
        let left = Timestamp::from_millis(self.session.until.load(Ordering::Acquire))
            .since(self.clock.now());
        if left * 2 > self.session.lease {
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

    /// Whether leases of that life may still hold, as far as this worker can tell without asking the store. The answer
    /// is no after the process, or the machine, stood still for longer than a lease.
    pub(crate) fn keeps_leases(&self, life: u64) -> bool {
        let until = Timestamp::from_millis(self.session.until.load(Ordering::Acquire));
        self.clock.now() < until && self.session_life() == life
    }

    /// Notes that the store counts the lease from `now`; `anew` if runs that were claimed before are lost.
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

    async fn register(&self) -> Result<WorkerId> {
        let now = self.clock.now();
        let request = Register {
            name: self.session.name.clone(),
            subscriptions: self.registry.subscriptions(),
            now,
            lease: self.session.lease,
        };
        let worker = self.store.register(request).await?;
        self.extend(now, true);
        Ok(worker)
    }

    /// Renews the lease, or begins a new session where the store has forgotten this one.
    async fn renew(&self, worker: WorkerId) -> Result<WorkerId> {
        let now = self.clock.now();
        let ended = self.session.until.load(Ordering::Acquire) <= now.as_millis();
        match self.store.renew(worker, now, self.session.lease).await {
            Ok(()) => {
                self.extend(now, ended);
                Ok(worker)
            }
            Err(error) if error.kind() == ErrorKind::Busy => {
                tracing::warn!("the worker's session had ended in the store; it begins a new one");
                let worker = self.register().await?;
                if let Some(current) = self.session.current.get() {
                    current.store(worker.0, Ordering::Release);
                }
                Ok(worker)
            }
            Err(error) => Err(error),
        }
    }
}

/// Renews three times in each lease, until the worker is gone.
async fn keep_alive(worker: Weak<Shared>, clock: Arc<dyn crate::Clock>, every: Duration) {
    loop {
        clock.expire_at(clock.now().after(every)).await;
        let Some(shared) = worker.upgrade() else {
            return;
        };
        if shared.shutdown.is_over() {
            return;
        }
        let Some(session) = shared.present_session() else {
            return;
        };
        let renewed = async {
            shared.renew(session).await?;
            shared.give_back_unheard().await
        };
        if let Err(error) = renewed.await {
            tracing::error!(error = %error.report(), "cannot renew the lease; runs may move to another worker");
        }
    }
}
