//! The end of a worker: no new runs, a grace period for running steps, the rest given back.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::{Worker, shared::Shared, signals::StopSignals};
use crate::panic::catch_future;

/// How long the end waits for steps that were dropped.
const ABORTED: Duration = Duration::from_secs(1);

/// How long it waits for the store to end the session, and how long after a second signal.
const GOODBYE: Duration = Duration::from_secs(10);
const HURRIED_GOODBYE: Duration = Duration::from_secs(2);

impl Worker {
    /// Begins the shutdown: [`run`](Worker::run) and `serve` return once running steps have ended or the grace period has.
    pub fn shutdown(&self) {
        self.shared().shutdown.begin();
    }

    /// Returns when the worker begins to stop: [`shutdown`](Self::shutdown) was called, or the process was asked to end (SIGTERM,
    /// SIGINT). It is for servers that are not run by [`serve_with`](Self::serve_with), as what tells them to take no more
    /// requests:
    ///
    /// ```no_run
    /// # async fn example(worker: belts::Worker, app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// let server = axum::serve(listener, app).with_graceful_shutdown(worker.stopped());
    /// let server = async { server.await.map_err(belts::Error::from_any) };
    /// // Both end: the server when its requests are answered, the loop when running steps have ended or the grace period has.
    /// tokio::try_join!(server, worker.run())?;
    /// # Ok(()) }
    /// ```
    ///
    /// How long the server waits for requests that hang is its own affair.
    ///
    /// It listens for the signals itself and begins the shutdown, so that it is enough for a worker without a loop too, whose
    /// router alone is served. From its first poll on the first signal no longer ends the process by itself.
    ///
    /// It may be asked for as often as anybody likes, and holds nothing of the worker. It returns at once where the shutdown has
    /// begun, and also when nobody has the worker any more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// let stopped = worker.stopped();
    /// worker.shutdown();
    /// stopped.await;
    /// # Ok(()) }
    /// ```
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut begun = self.shared().shutdown.begun.subscribe();
        let worker = Arc::downgrade(self.shared());
        async move {
            let mut asked = StopSignals::listen();
            tokio::select! {
                // Without a worker it is an error, and there is nothing to wait for.
                _ = begun.wait_for(|begun| *begun) => {}
                () = asked.once() => {
                    if let Some(shared) = worker.upgrade() {
                        shared.shutdown.begin();
                    }
                }
            }
        }
    }
}

impl Shared {
    /// Heeds signals for as long as it is polled, which may be longer than the loop runs.
    #[cfg(feature = "http")]
    pub(crate) fn heed_signals(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        on_signal(StopSignals::listen(), Arc::downgrade(self))
    }

    /// Returns when no run will end here any more: after the drain, or the grace period where no loop is there to drain.
    pub(crate) async fn gone(&self) {
        self.shutdown.begun().await;
        let grace = self.options().grace;
        tokio::select! {
            () = self.shutdown.ended() => {}
            () = self.shutdown.hurried() => {}
            () = self.clock.expire_at(self.clock.now().after(grace)), if !self.loops.is_any() => {}
        }
    }

    /// Returns when the shutdown has lasted for as long as requests may still take: the grace period, or until somebody asked a
    /// second time, and until every run was given back, since who waits for one is answered then.
    #[cfg(feature = "http")]
    pub(crate) async fn grace_is_over(&self) {
        self.shutdown.begun().await;
        let over = self.clock.now().after(self.options().grace);
        tokio::select! {
            () = self.shutdown.hurried() => {}
            () = self.clock.expire_at(over) => {}
        }
        self.shutdown.ended().await;
    }

    /// Waits for running steps, drops what takes longer than the grace period, and gives the runs back. Of several loops of one
    /// worker each does this; they are done when the first is.
    pub(crate) async fn drain(self: &Arc<Self>) {
        tokio::select! {
            () = self.let_go() => {}
            () = self.shutdown.ended() => {}
        }
    }

    async fn let_go(self: &Arc<Self>) {
        let running = self.slots.used();
        if running > 0 {
            tracing::info!(running, grace = ?self.options().grace, "shutting down; running steps may finish");
        }
        tokio::select! {
            () = self.shutdown.joined() => {}
            () = self.clock.expire_at(self.clock.now().after(self.options().grace)) => {
                tracing::warn!(running = self.slots.used(), "the grace period is over; the remaining runs are released");
            }
            () = self.shutdown.hurried() => {
                tracing::warn!(running = self.slots.used(), "second shutdown signal: the grace period ends now, and the \
                 remaining runs are released");
            }
        }
        self.shutdown.close();
        let patience = self.clock.now().after(ABORTED);
        tokio::select! {
            () = self.shutdown.joined() => {}
            () = self.clock.expire_at(patience) => {
                tracing::warn!("a step blocks its thread and cannot be stopped; its run is released anyway");
            }
        }
        self.end_session().await;
        self.shutdown.over.send_replace(true);
    }

    /// Ends the session, which makes its runs due. A store that does not answer holds this up for some seconds only; a second signal
    /// shortens them, but leaves a store that works the time to release the runs.
    async fn end_session(&self) {
        let Some(session) = self.present_session() else {
            return;
        };
        let goodbye =
            catch_future(async { self.store.deregister(session, self.clock.now()).await });
        tokio::select! {
            biased;
            ended = goodbye => if let Err(error) = ended {
                tracing::warn!(error = %error.report(), "could not end the session; its runs become due when its lease expires");
            },
            () = self.goodbye_is_over() => {
                tracing::warn!("the store did not answer in time; the runs of this session become due when its lease expires");
            }
        }
    }

    /// Returns when the store has had its time to end the session.
    async fn goodbye_is_over(&self) {
        let hurried = async {
            self.shutdown.hurried().await;
            let over = self.clock.now().after(HURRIED_GOODBYE);
            self.clock.expire_at(over).await;
        };
        tokio::select! {
            () = self.clock.expire_at(self.clock.now().after(GOODBYE)) => {}
            () = hurried => {}
        }
    }
}

/// Begins the shutdown when the process is asked to end, and ends the grace period when it is asked again.
pub(super) async fn on_signal(mut asked: StopSignals, worker: Weak<Shared>) {
    asked.once().await;
    if let Some(shared) = worker.upgrade() {
        shared.shutdown.begin();
    }
    asked.once().await;
    if let Some(shared) = worker.upgrade() {
        shared.shutdown.hurry();
    }
}
