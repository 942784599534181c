//! Removing runs that have ended.

use std::time::SystemTime;

use super::Runs;
use crate::{clock::Timestamp, error::Result, store::Purged};

/// How many runs are purged in one write.
const BATCH: usize = 500;
/// How many writes form one part: a request that purges is answered within seconds.
const BATCHES_OF_PART: usize = 20;

impl Runs {
    /// Removes all runs that ended before a time, with their journals, and events that started nothing.
    ///
    /// Workers do the same by themselves after their [`retention`](crate::WorkerBuilder::retention). If there are many runs,
    /// [`purge_part`](Self::purge_part) lets you show the progress.
    ///
    /// # Errors
    /// The store cannot be reached or written; some of the runs may be gone.
    pub async fn purge(&self, before: impl Into<SystemTime>) -> Result<Purged> {
        let before: Timestamp = before.into().into();
        self.tell_of(&format!("purge runs that ended before {before}"));
        self.batches(before, usize::MAX).await
    }

    /// As [`purge`](Self::purge), but at most 10,000 runs and as many events; [`more`](Purged::more) says whether
    /// any are left.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// # let last_year = std::time::SystemTime::UNIX_EPOCH;
    /// let mut gone = 0;
    /// loop {
    ///     let part = worker.runs().purge_part(last_year).await?;
    ///     gone += part.runs;
    ///     if !part.more {
    ///         break;
    ///     }
    ///     println!("{gone} runs are gone so far");
    /// }
    /// # assert_eq!(gone, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`purge`](Self::purge).
    pub async fn purge_part(&self, before: impl Into<SystemTime>) -> Result<Purged> {
        let before: Timestamp = before.into().into();
        self.tell_of(&format!("purge runs that ended before {before}"));
        self.batches(before, BATCHES_OF_PART).await
    }

    async fn batches(&self, before: Timestamp, most: usize) -> Result<Purged> {
        let mut purged = Purged::default();
        for _ in 0..most {
            let batch = self.store.purge(before, BATCH).await?;
            purged.runs += batch.runs;
            purged.events += batch.events;
            purged.more = batch.more;
            if !batch.more {
                break;
            }
        }
        Ok(purged)
    }
}
