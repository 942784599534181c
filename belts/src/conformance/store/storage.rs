//! What a store under test is opened by.

use async_trait::async_trait;

use crate::{error::Result, store::SharedStore};

/// One storage, empty at first, that lives as long as this value.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// A client of this storage, independent of the others: if stores can be shared between processes, as if in
    /// another process.
    ///
    /// # Errors
    /// The storage cannot be opened; the case then fails.
    async fn open(&self) -> Result<SharedStore>;
}
