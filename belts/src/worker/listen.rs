//! Who waits in this process for the next end of a drive.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::{ended::Ended, shared::Shared};

/// What is heard of the end of runs that have just been started here, by run id.
pub(crate) type Endings = HashMap<Arc<str>, Ending>;

impl Shared {
    /// Tells those who wait for a run in this process.
    pub(super) fn tell(&self, run_id: &Arc<str>, ended: &Ended) {
        let waiting = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(run_id);
        for sender in waiting.into_iter().flatten() {
            let _ = sender.send(ended.clone());
        }
    }

    /// Hears of the next end of a drive of this run in this process.
    pub(crate) fn listen(self: &Arc<Self>, run_id: &Arc<str>) -> Ending {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(Arc::clone(run_id)).or_default().push(sender);
        Ending {
            receiver,
            worker: Arc::clone(self),
            run_id: Arc::clone(run_id),
        }
    }

    /// Forgets those who no longer wait for this run.
    fn forget_gone(&self, run_id: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(senders) = waiting.get_mut(run_id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(run_id);
            }
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
            self.worker.forget_gone(&self.run_id);
        }
    }
}
