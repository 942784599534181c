//! The signals that ask a process to end.

/// The signals that ask a process to end.
pub(super) struct StopSignals {
    #[cfg(unix)]
    signals: [Option<tokio::signal::unix::Signal>; 2],
}

#[cfg(unix)]
impl StopSignals {
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        Self {
            signals: kinds.map(|kind| signal(kind).ok()),
        }
    }

    pub(super) async fn once(&mut self) {
        let [terminate, interrupt] = &mut self.signals;
        tokio::select! {
            () = next(terminate) => {}
            () = next(interrupt) => {}
        }
    }
}

/// The next signal of a kind; never, where it cannot be listened for.
#[cfg(unix)]
async fn next(signal: &mut Option<tokio::signal::unix::Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
impl StopSignals {
    pub(super) fn listen() -> Self {
        Self {}
    }

    pub(super) async fn once(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
