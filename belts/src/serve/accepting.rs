//! The task that takes connections, which ends with whoever waits for it.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use tokio::task::JoinHandle;

/// What is done, with the listener in it; `None` once it is over.
type Work = Arc<Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>>;

/// A task of its own, so that user code that blocks the loop keeps nobody from being accepted.
///
/// Where this is dropped, the listener is gone at once and not when the runtime comes to it: whoever binds the address next
/// finds it free.
pub(super) struct Accepting {
    work: Work,
    task: JoinHandle<()>,
}

impl Accepting {
    pub(super) fn spawn(accept: impl Future<Output = ()> + Send + 'static) -> Self {
        let work: Work = Arc::new(Mutex::new(Some(Box::pin(accept))));
        let mine = Arc::clone(&work);
        let task = tokio::spawn(poll_fn(move |cx| {
            let mut work = lock(&mine);
            let polled = match work.as_mut() {
                Some(accept) => accept.as_mut().poll(cx),
                None => Poll::Ready(()),
            };
            if polled.is_ready() {
                *work = None;
            }
            polled
        }));
        Self { work, task }
    }

    /// Returns when every connection has ended, after the shutdown began.
    pub(super) async fn ended(&mut self) {
        // It is aborted nowhere else, and a panic in it leaves nothing to wait for either.
        drop((&mut self.task).await);
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        *lock(&self.work) = None;
        self.task.abort();
    }
}

fn lock(work: &Work) -> MutexGuard<'_, Option<Pin<Box<dyn Future<Output = ()> + Send>>>> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}
