//! The session: registered when first needed, renewed, and begun again when the store knows it no longer.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use super::shared::Shared;
use crate::{
    error::{Error, ErrorKind, Result},
    store::{Register, SharedStore, WorkerId},
};

impl Shared {
    /// The session, registered at the first call and alive for a good part of a lease.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<WorkerId> {
        let cell = self
            .session
            .current
            .get_or_try_init(|| async {
                let id = self.register().await?;
                self.watch_renewal();
                Ok::<_, Error>(AtomicI64::new(id.0))
            })
            .await?;
        self.ensure_renewal();
        let worker = WorkerId(cell.load(Ordering::Acquire));
        if self.host.lease_left() * 2 > self.host.lease.length {
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
            awaits: self.registry.awaited(),
            limits: self.registry.limits(),
            cancel_handled: self.registry.cancel_handled(),
            build: self.settings.build.clone(),
            now,
            lease: self.host.lease.length,
        };
        let worker = self.store.register(request).await?;
        self.host.lease.extend(now, true);
        Ok(worker)
    }

    /// Renews the lease, or begins a new session where the store has forgotten this one.
    pub(super) async fn renew(&self, worker: WorkerId) -> Result<WorkerId> {
        match self.extend_by(&self.store, worker).await {
            Ok(()) => Ok(worker),
            // One that ends needs no other session: nothing is claimed by it any more.
            Err(error) if error.kind() == ErrorKind::Busy && !self.is_draining() => {
                self.replace(worker).await
            }
            Err(error) => Err(error),
        }
    }

    /// Renews the lease, whichever connections it takes.
    pub(super) async fn extend_by(&self, store: &SharedStore, worker: WorkerId) -> Result<()> {
        let now = self.clock.now();
        let ended = self.host.lease.has_ended(now);
        store.renew(worker, now, self.host.lease.length).await?;
        // It may have reached the store after the end of the lease, though it was sent before.
        let ended = ended || self.host.lease.has_ended(self.clock.now());
        self.host.lease.extend(now, ended);
        Ok(())
    }

    /// Begins a new session in place of one that the store has forgotten, unless somebody else has done so meanwhile: runs that
    /// were claimed by one of two would be renewed by nobody.
    async fn replace(&self, forgotten: WorkerId) -> Result<WorkerId> {
        let _alone = self.session.begins.lock().await;
        let present = self.present_session();
        if let Some(present) = present.filter(|present| *present != forgotten) {
            return Ok(present);
        }
        tracing::warn!("the worker's session has ended in the store; starting a new one");
        let worker = self.register().await?;
        if let Some(current) = self.session.current.get() {
            current.store(worker.0, Ordering::Release);
        }
        Ok(worker)
    }
}
