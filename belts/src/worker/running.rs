//! The life of a worker's loop, from its start to the end of its shutdown.

use std::sync::Arc;

use tokio::{runtime::Handle, task::JoinSet};

use super::{Shared, Worker, signals::StopSignals};
use crate::error::Result;

impl Worker {
    /// Receives messages where the [dispatcher](crate::dispatch) has to be asked for them, claims and drives runs, until
    /// [`shutdown`](Worker::shutdown) is called or the process is asked to end (SIGTERM, SIGINT); then lets running steps finish
    /// for the grace period and gives the rest back. A second such signal ends the grace period at once.
    ///
    /// It says in the log which functions it drives. It serves no requests: that does [`serve`](Worker::serve) or, with an
    /// application of your own, [`serve_with`](Worker::serve_with), each with the loop in it. A server beside it ends with it by
    /// [`stopped`](Worker::stopped).
    ///
    /// # Errors
    /// The store cannot be reached at the start. Later failures are logged and retried.
    pub async fn run(&self) -> Result<()> {
        super::announce::tell_of_the_loop(&self.shared);
        self.run_as(None).await
    }

    /// As [`run`](Self::run), where the loop was expected before it runs.
    #[cfg(feature = "http")]
    pub(crate) async fn run_expected(&self, expected: Running) -> Result<()> {
        self.run_as(Some(expected)).await
    }

    /// Whoever expected a loop does not wait for one that never runs: that is over where this fails or is dropped.
    async fn run_as(&self, expected: Option<Running>) -> Result<()> {
        let shared = &self.shared;
        // First of all: whoever asks while the session is being opened is heard as well.
        let asked = StopSignals::listen();
        shared.session().await?;
        let mut aside = JoinSet::new();
        aside.spawn(shared.renew_forever());
        aside.spawn(super::stop::on_signal(asked, Arc::downgrade(shared)));
        aside.spawn(super::purge::purge_forever(Arc::downgrade(shared)));
        aside.spawn(super::limits::expire_forever(Arc::downgrade(shared)));
        aside.spawn(super::clockwork::tick_forever(Arc::downgrade(shared)));
        aside.spawn(super::backlog::show_forever(Arc::downgrade(shared)));
        #[cfg(feature = "encryption")]
        aside.spawn(super::moved::move_waits(Arc::downgrade(shared)));
        let running = expected.unwrap_or_else(|| Running::begin(shared));
        let home = Home::settle(shared);
        // A store or dispatcher that does not answer holds up nobody who asks a second time.
        tokio::select! {
            _ = async { tokio::join!(shared.claim_forever(), shared.receive_forever()) } => {}
            () = shared.shutdown.hurried() => {}
        }
        drop((home, running));
        shared.drain().await;
        Ok(())
    }
}

/// Says that a loop runs or is about to, until it ends or its future is dropped.
#[must_use = "the loop is over when this is dropped"]
pub(crate) struct Running(Arc<Shared>);

impl Running {
    pub(super) fn begin(shared: &Arc<Shared>) -> Self {
        shared.loops.begin();
        Self(Arc::clone(shared))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.loops.end();
    }
}

/// The runtime of a loop, on which drives live while it is there.
struct Home<'a>(&'a Shared, Handle);

impl<'a> Home<'a> {
    fn settle(shared: &'a Shared) -> Self {
        let home = Handle::current();
        shared.loops.settle(home.clone());
        Self(shared, home)
    }
}

impl Drop for Home<'_> {
    fn drop(&mut self) {
        self.0.loops.leave(&self.1);
    }
}

impl Shared {
    /// Says that a loop is about to run, so that deliveries meanwhile need not wait for their runs; hand it to
    /// [`Worker::run_expected`].
    #[cfg(feature = "http")]
    pub(crate) fn expect_loop(self: &Arc<Self>) -> Running {
        Running::begin(self)
    }
}
