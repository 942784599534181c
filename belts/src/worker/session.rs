//! The worker's session in the store.

use std::sync::{Arc, atomic::AtomicI64};

use tokio::sync::{Mutex, OnceCell};

use super::pulse::Pulse;

/// The worker's session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: Option<Arc<str>>,
    /// Its number, which changes when the store knows it no longer.
    pub(super) current: OnceCell<AtomicI64>,
    /// Held by whoever begins a new one.
    pub(super) begins: Mutex<()>,
    pub(super) pulse: Arc<Pulse>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.pulse.stop();
    }
}

impl Session {
    pub(crate) fn new(name: Option<Arc<str>>) -> Self {
        Self {
            name,
            current: OnceCell::new(),
            begins: Mutex::new(()),
            pulse: Arc::default(),
        }
    }
}
