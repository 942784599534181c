//! The runs of a worker's store, to look at and to change.

use super::Worker;
use crate::inspect::{CallbackHandle, Functions, Runs, Schedules};

impl Worker {
    /// The runs in this worker's store, of whichever worker: to list, look at, cancel, run again and purge.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// let error = worker.runs().rerun("r-17").await.unwrap_err();
    /// assert_eq!(error.to_string(), "there is no run `r-17`");
    /// # Ok(()) }
    /// ```
    pub fn runs(&self) -> Runs {
        Runs::of_worker(self.shared())
    }

    /// The functions in this worker's store, of whichever program: to list, pause, resume and forget.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// let error = worker.functions().pause("shipp").await.unwrap_err();
    /// assert_eq!(error.kind(), belts::ErrorKind::UnknownFunction);
    /// # Ok(()) }
    /// ```
    pub fn functions(&self) -> Functions {
        Functions::with(self.runs())
    }

    /// The schedules in this worker's store, of whichever program: to put, list, pause, resume, trigger and remove.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// let error = worker.schedules().pause("tenant-7").await.unwrap_err();
    /// assert_eq!(error.to_string(), "there is no schedule `tenant-7`");
    /// # Ok(()) }
    /// ```
    pub fn schedules(&self) -> Schedules {
        Schedules::with(self.runs())
    }

    /// The callback of this id, to be completed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// let error = worker.callback("no-such-id").complete(&true).await.unwrap_err();
    /// assert_eq!(error.kind(), belts::ErrorKind::UnknownCallback);
    /// # Ok(()) }
    /// ```
    pub fn callback(&self, id: impl Into<std::sync::Arc<str>>) -> CallbackHandle {
        self.runs().callback(id)
    }
}
