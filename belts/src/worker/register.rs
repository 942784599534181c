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
                let id = self.register(&self.store).await?;
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

    async fn register(&self, store: &SharedStore) -> Result<WorkerId> {
        let now = self.clock.now();
        let request = Register {
            name: self.session.name.clone(),
            subscriptions: self.registry.subscriptions(),
            now,
            lease: self.host.lease.length,
        };
        let worker = store.register(request).await?;
        self.host.lease.extend(now, true);
        Ok(worker)
    }

    pub(super) async fn renew(&self, worker: WorkerId) -> Result<WorkerId> {
        self.renew_by(&self.store, worker).await
    }

    /// Renews the lease, or begins a new session where the store has forgotten this one.
    pub(super) async fn renew_by(&self, store: &SharedStore, worker: WorkerId) -> Result<WorkerId> {
        let now = self.clock.now();
        let ended = self.host.lease.has_ended(now);
        match store.renew(worker, now, self.host.lease.length).await {
            Ok(()) => {
                // It may have reached the store after the end of the lease, though it was sent before.
                let ended = ended || self.host.lease.has_ended(self.clock.now());
                self.host.lease.extend(now, ended);
                Ok(worker)
            }
            // One that ends needs no other session: nothing is claimed by it any more.
            Err(error) if error.kind() == ErrorKind::Busy && !self.is_draining() => {
                self.replace(store, worker).await
            }
            Err(error) => Err(error),
        }
    }

    /// Begins a new session in place of one that the store has forgotten, unless somebody else has done so meanwhile: runs that
    /// were claimed by one of two would be renewed by nobody.
    async fn replace(&self, store: &SharedStore, forgotten: WorkerId) -> Result<WorkerId> {
        let _alone = self.session.begins.lock().await;
        let present = self.present_session();
        if let Some(present) = present.filter(|present| *present != forgotten) {
            return Ok(present);
        }
        tracing::warn!("the worker's session has ended in the store; starting a new one");
        let worker = self.register(store).await?;
        if let Some(current) = self.session.current.get() {
            current.store(worker.0, Ordering::Release);
        }
        Ok(worker)
    }
}
