//! Who waits in this process for the next end of a drive.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::{ended::Ended, shared::Shared};

/// What is heard of the end of runs that have just been started here, by run id.
pub(crate) type Endings = HashMap<Arc<str>, Ending>;

impl Shared {
    /// Tells those who wait for a run in this process.
    pub(super) fn tell(&self, run_id: &Arc<str>, ended: &Ended) {
        self.waiters.tell(run_id, ended);
    }

    /// Hears of the next end of a drive of this run in this process.
    pub(crate) fn listen(self: &Arc<Self>, run_id: &Arc<str>) -> Ending {
        Ending {
            receiver: self.waiters.add(run_id),
            worker: Arc::clone(self),
            run_id: Arc::clone(run_id),
        }
    }
}

/// The next end of a drive of a run: await it. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Ending {
    receiver: oneshot::Receiver<Ended>,
    worker: Arc<Shared>,
    run_id: Arc<str>,
}

impl Future for Ending {
    type Output = Result<Ended, oneshot::error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(cx)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // After the end nobody is listed any more.
        if !self.receiver.is_terminated() {
            self.receiver.close();
            self.worker.waiters.remove_closed(&self.run_id);
        }
    }
}
