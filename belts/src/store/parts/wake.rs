//! Wakes the workers of one store when a run may have become due, without losing a wake-up.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// A counter of wake-ups and the ones who wait for the next.
///
/// A wake-up that comes while nobody waits is kept for the next one who does. Where several wait in turn, each sees
/// every wake-up that comes after its `wait` was first polled. That is what [`Store::woken`](crate::store::Store::woken) asks for,
/// as long as no other process writes to the store.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let wake = belts::store::parts::Wake::default();
/// wake.wake();
/// wake.wait().await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Wake {
    count: AtomicU64,
    /// The last count that someone has been told of.
    told: AtomicU64,
    notify: Notify,
}

impl Wake {
    /// Wakes whoever waits, or the next who will.
    pub fn wake(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// Waits for a wake-up.
    pub async fn wait(&self) {
        let notified = self.notify.notified();
        tokio::pin!(notified);
        // From here on `notify_waiters` reaches us, so a wake-up is either in `count` already or will be heard.
        notified.as_mut().enable();
        let count = self.count.load(Ordering::SeqCst);
        if self.told.swap(count, Ordering::SeqCst) != count {
            return;
        }
        notified.await;
        self.told
            .store(self.count.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::Wake;

    #[tokio::test]
    async fn a_wake_up_without_waiters_is_kept_once() {
        let wake = Wake::default();
        wake.wake();
        wake.wake();
        wake.wait().await;
        assert!(
            tokio::time::timeout(Duration::from_millis(20), wake.wait())
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn every_waiter_is_woken() {
        let wake = Arc::new(Wake::default());
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let wake = Arc::clone(&wake);
                tokio::spawn(async move { wake.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        wake.wake();
        for waiter in waiters {
            waiter.await.unwrap();
        }
    }
}
