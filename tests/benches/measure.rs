//! Clocks, medians, and a directory that goes away.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime},
};

use crate::Outcome;

/// The time, for the length of something in this process.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Microseconds since the Unix epoch, for the length of something that begins in another process.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn wall_micros() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Lets the machine come to rest.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The middle of the samples; of an even number, the higher of the two in the middle.
pub(crate) fn median(samples: &mut [f64]) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What a quarter of the samples stay below, for what takes the processor only: whatever is longer was interrupted.
pub(crate) fn quartile(samples: &mut [f64]) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples.get(samples.len() / 4).copied().unwrap_or(f64::NAN)
}

/// A number as what it is divided by or multiplied with.
pub(crate) fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("no benchmark counts beyond four billion"))
}

/// A new directory on the disk that is to be measured, removed with this value.
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Under `BELTS_BENCH_DIR`, or else the system's directory for temporary files.
    pub(crate) fn new() -> Outcome<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let parent =
            std::env::var_os("BELTS_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("belts-bench-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl AsRef<Path> for Directory {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
