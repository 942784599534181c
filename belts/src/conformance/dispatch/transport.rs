//! What a dispatcher under test is made by.

use async_trait::async_trait;

use crate::{dispatch::SharedDispatcher, error::Result, worker::WorkerBuilder};

/// One transport, empty at first, that lives as long as this value.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// A client of this transport, independent of the others, as if in another process. One that pushes sends to `url`.
    ///
    /// # Errors
    /// The transport cannot be reached; the case then fails.
    async fn connect(&self, url: &str) -> Result<SharedDispatcher>;

    /// Configures a worker that sends, for example with the keys that its messages are encrypted with.
    fn sender(&self, builder: WorkerBuilder) -> WorkerBuilder {
        builder
    }

    /// Configures a worker that receives, for example with the keys that its requests are signed with.
    fn receiver(&self, builder: WorkerBuilder) -> WorkerBuilder {
        builder
    }
}
