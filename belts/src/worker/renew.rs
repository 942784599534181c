//! Keeps the session alive: a task renews it, and a thread of its own steps in when that task gets no turn.
//!
//! The task lives on a runtime whose threads user code can block, or that ends before the worker does. The connections of
//! a store mostly belong to that runtime, so the thread leaves the renewal to the task as long as it answers. Where it
//! does not, the thread renews on a small runtime of its own: at once where the store needs no connection, else by a
//! second handle on the store, if its URL is known.

use std::{
    future::Future,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use super::{
    pulse::{Pulse, Role},
    shared::Shared,
};
use crate::{
    clock::{Clock, SystemClock, Timestamp},
    error::Result,
    panic::catch_future,
    store::{self, SharedStore},
};

/// How many times within a lease the thread looks.
const LOOKS: u32 = 6;

impl Shared {
    /// Makes sure that somebody renews the session: a runtime may have ended, and the task with it.
    pub(super) fn ensure_renewal(self: &Arc<Self>) {
        if !self.session.pulse.alive.load(Ordering::Acquire) {
            self.loops.spawn(self.renew_forever());
        }
    }

    /// Renews three times in each lease, until the worker is gone or another task does. It counts as there from the call on.
    pub(super) fn renew_forever(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let role = self.session.pulse.begin();
        let (worker, clock) = (Arc::downgrade(self), Arc::clone(&self.clock));
        renew_forever(worker, clock, role, self.host.lease.length / 3)
    }

    /// Starts the thread. Without it the task renews alone.
    pub(super) fn watch_renewal(self: &Arc<Self>) {
        let (worker, pulse) = (Arc::downgrade(self), Arc::clone(&self.session.pulse));
        let every = self.host.lease.length / LOOKS;
        let thread = std::thread::Builder::new().name("belts-renewal".into());
        let started = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(watch(&worker, &pulse, every));
            std::io::Result::Ok(())
        });
        if let Err(error) = started {
            tracing::warn!(%error, "cannot start the thread that renews the lease while steps block the runtime");
        }
    }

    /// Renews if half of the lease is gone. `lifeline` is a handle on the store whose connections live on this runtime.
    async fn step_in(&self, lifeline: &mut Option<SharedStore>) -> Result<()> {
        let Some(session) = self.present_session() else {
            return Ok(());
        };
        if self.host.lease_left() * 2 <= self.host.lease.length {
            match &self.settings.store_url {
                None => drop(self.renew(session).await?),
                Some(url) => {
                    let store = match lifeline.take() {
                        Some(store) => store,
                        None => store::url::open(url).await?,
                    };
                    // A new session would hang on these connections, so it is left to the task.
                    self.extend_by(&store, session).await?;
                    *lifeline = Some(store);
                }
            }
        }
        // Where the task is gone and not only held up, nobody else does this.
        if !self.session.pulse.alive.load(Ordering::Acquire) {
            self.give_back_unheard().await?;
        }
        Ok(())
    }
}

async fn renew_forever(worker: Weak<Shared>, clock: Arc<dyn Clock>, role: Role, every: Duration) {
    let mut next = clock.now().after(every);
    loop {
        // A clock that was set back would make it a longer time.
        next = next.min(clock.now().after(every));
        let due = tokio::select! {
            () = clock.expire_at(next) => true,
            () = role.pulse.ask.notified() => {
                role.pulse.answered.store(true, Ordering::Release);
                false
            }
        };
        let Some(shared) = worker.upgrade() else {
            return;
        };
        if shared.shutdown.is_over() || !role.is_mine() {
            return;
        }
        if let Err(error) = catch_future(beat(&shared, due)).await {
            tracing::error!(error = %error.report(), "cannot renew the lease; runs may move to another worker");
        }
        if due {
            next = clock.now().after(every);
        }
    }
}

async fn beat(shared: &Shared, due: bool) -> Result<()> {
    let Some(session) = shared.present_session() else {
        return Ok(());
    };
    if due {
        shared.renew(session).await?;
    }
    shared.give_back_unheard().await?;
    // The loop, where there is one, asks more often.
    if due && !shared.is_running() {
        shared.end_revoked().await?;
        shared.bring_arrivals().await?;
    }
    Ok(())
}

/// The life of the thread.
async fn watch(worker: &Weak<Shared>, pulse: &Pulse, every: Duration) {
    let (clock, mut stop) = (SystemClock, pulse.stop.subscribe());
    let mut lifeline = None;
    loop {
        let next: Timestamp = clock.now().after(every);
        tokio::select! {
            () = clock.expire_at(next) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        pulse.looks.count();
        if !pulse.is_silent() {
            continue;
        }
        let Some(shared) = worker.upgrade() else {
            return;
        };
        if shared.shutdown.is_over() {
            return;
        }
        // One that takes longer would come too late.
        let stepped_in = catch_future(shared.step_in(&mut lifeline));
        match tokio::time::timeout(every * 2, stepped_in).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error = %error.report(), "cannot renew the lease while the runtime is blocked");
            }
            Err(_) => {
                tracing::error!("renewing the lease timed out while the runtime is blocked");
            }
        }
    }
}
