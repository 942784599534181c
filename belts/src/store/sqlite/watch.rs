//! Notices the commits of other processes: a small thread that looks at SQLite's counter of them.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use super::writer::Writer;

/// How often the counter is looked at; one look costs a few microseconds.
const INTERVAL: Duration = Duration::from_millis(10);

/// The thread; it ends when this is dropped.
pub(super) struct Watch {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to look. Without a thread, the worker's sweep finds the runs of others.
    pub(super) fn start(writer: Arc<Writer>) -> Self {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("belts-watch".into())
            .spawn(move || watch(&writer, &stopped))
            .inspect_err(|error| tracing::warn!(%error, "no thread to watch for the commits of other processes"))
            .ok();
        Self { stop, thread }
    }
}

fn watch(writer: &Writer, (stopped, bell): &(Mutex<bool>, Condvar)) {
    let mut stop = stopped.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stop {
        writer.look();
        (stop, _) = bell
            .wait_timeout(stop, INTERVAL)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic, and if it did, there is nothing left to do.
            drop(thread.join());
        }
    }
}
