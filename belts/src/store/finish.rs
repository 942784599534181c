//! Work that must come to its end once it has begun, even if whoever awaits it goes away.
//!
//! A store does a write that was queued, whether anybody waits for it or not. Where that write leases runs to this
//! worker, somebody must take them on: to the store they are in good hands for as long as the worker lives.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
};

use tokio::runtime::Handle;

/// Polls `work` in place. If the future that this returns is dropped half-way, a task of its own finishes the work.
#[cfg(feature = "postgres")]
pub(crate) async fn to_the_end<T: 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    to_the_end_at(None, work).await
}

/// As `to_the_end`, with the task on this runtime: the one that the future is dropped on may be about to end.
pub(crate) async fn to_the_end_at<T: 'static>(
    home: Option<Handle>,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let mut begun = Detached {
        work: Some(Box::pin(work)),
        home,
    };
    let done = poll_fn(|cx| {
        let work = begun
            .work
            .as_mut()
            .expect("work is polled until it is done");
        work.as_mut().poll(cx)
    })
    .await;
    begun.work = None;
    done
}

struct Detached<T: 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    home: Option<Handle>,
}

impl<T> Drop for Detached<T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        // Without a runtime the whole process is at its end, and so is the lease.
        if let Some(runtime) = self.home.take().or_else(|| Handle::try_current().ok()) {
            runtime.spawn(async move { drop(work.await) });
        }
    }
}
