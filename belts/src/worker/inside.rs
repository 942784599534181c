//! The waker that a function is replayed with, which tells who else has one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

/// The waker that a function is replayed with. Whoever replays it holds two; what else the function awaits holds others.
pub(super) struct Inside {
    woken: AtomicBool,
    outside: Mutex<Option<Waker>>,
}

impl Inside {
    /// One that is woken, so that the function is polled for the first time.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            woken: AtomicBool::new(true),
            outside: Mutex::new(None),
        })
    }

    /// Has whoever replays the function woken from now on.
    pub(super) fn is_polled_by(&self, waker: &Waker) {
        *self.outside.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    /// Whether it was woken since this was last asked.
    pub(super) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Inside {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outside) = &*outside {
            outside.wake_by_ref();
        }
    }
}
