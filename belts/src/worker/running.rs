//! The life of a worker's loop, from its start to the end of its shutdown.

use std::sync::{Arc, atomic::Ordering};

use tokio::{runtime::Handle, task::JoinSet};

use super::{Shared, Worker, shutdown::Asked};
use crate::error::Result;

impl Worker {
    /// Receives messages where the [dispatcher](crate::dispatch) has to be asked for them, claims and drives runs, until
    /// [`shutdown`](Worker::shutdown) is called or the process is asked to end (SIGTERM, SIGINT); then lets running steps finish
    /// for the grace period and gives the rest back. A second such signal ends the grace period at once.
    ///
    /// # Errors
    /// The store cannot be reached at the start. Later failures are logged and retried.
    pub async fn run(&self) -> Result<()> {
        let shared = &self.shared;
        // First of all: whoever asks while the session is being opened is heard as well.
        let asked = Asked::listen();
        if let Err(error) = shared.session().await {
            // Whoever expected the loop must not wait for it.
            shared.running.store(false, Ordering::Release);
            return Err(error);
        }
        let mut aside = JoinSet::new();
        aside.spawn(shared.renew_forever());
        aside.spawn(super::shutdown::on_signal(asked, Arc::downgrade(shared)));
        aside.spawn(super::purge::purge_forever(Arc::downgrade(shared)));
        aside.spawn(super::backlog::show_forever(Arc::downgrade(shared)));
        let running = Running::begin(shared);
        tokio::join!(shared.claim_forever(), shared.receive_forever());
        drop(running);
        shared.drain().await;
        Ok(())
    }
}

/// Says that the loop runs, until it ends or its future is dropped.
struct Running<'a>(&'a Shared);

impl<'a> Running<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.set_home(Some(Handle::current()));
        shared.running.store(true, Ordering::Release);
        Self(shared)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
        self.0.set_home(None);
    }
}
