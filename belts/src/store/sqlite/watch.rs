//! Notices the commits of other processes: a small thread that looks at SQLite's counter of them.
//!
//! To look at the counter takes and gives back locks of the file, so it is done only when the log file has changed, and
//! now and then in case that a change left no trace in the file's time and size.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use super::writer::Writer;

/// How often the log file is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// After so many intervals the counter is looked at in any case.
const AT_LEAST: u32 = 10;

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
            .inspect_err(|error| tracing::warn!(%error, "cannot start the thread that watches for commits of other processes"))
            .ok();
        Self { stop, thread }
    }
}

fn watch(writer: &Writer, (stopped, bell): &(Mutex<bool>, Condvar)) {
    let mut log = OsString::from(writer.path());
    log.push("-wal");
    let log = PathBuf::from(log);
    let mut seen = None;
    let mut quiet = 0;
    let mut stop = stopped.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stop {
        // Taken before the look, so that what is committed after it is seen the next time.
        let now = trace(&log);
        // It says so in the log, and to whoever writes next.
        let _ = writer.presence.check();
        quiet += 1;
        if (now != seen || quiet >= AT_LEAST) && writer.look() {
            seen = now;
            quiet = 0;
        }
        (stop, _) = bell
            .wait_timeout(stop, INTERVAL)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn trace(log: &Path) -> Option<(u64, SystemTime)> {
    let file = fs::metadata(log).ok()?;
    Some((file.len(), file.modified().ok()?))
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
