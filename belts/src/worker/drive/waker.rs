//! Wakes a driver for its function.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

/// Wakes the driver when the function is woken, but only while the driver sleeps: what wakes during a turn is seen in it.
pub(super) struct FunctionWaker {
    woken: AtomicBool,
    driver: Mutex<Option<Waker>>,
    /// Whether the driver's waker was left here since it was last forgotten. Only the driver looks at it.
    left: AtomicBool,
}

impl FunctionWaker {
    pub(super) fn new() -> Self {
        Self {
            woken: AtomicBool::new(true),
            driver: Mutex::new(None),
            left: AtomicBool::new(false),
        }
    }

    pub(super) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Notes that the driver is awake; false if it left no waker.
    pub(super) fn forget_driver(&self) -> bool {
        if !self.left.load(Ordering::Relaxed) {
            return false;
        }
        self.left.store(false, Ordering::Relaxed);
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = None;
        true
    }

    /// Has the function polled once more in this turn.
    pub(super) fn poll_again(&self) {
        self.woken.store(true, Ordering::Release);
    }

    pub(super) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    /// Leaves the driver's waker; false if the function was woken meanwhile.
    pub(super) fn wait(&self, driver: &Waker) -> bool {
        self.left.store(true, Ordering::Relaxed);
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver.clone());
        !self.is_woken()
    }
}

impl Wake for FunctionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        if let Some(driver) = self
            .driver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            driver.wake();
        }
    }
}
