//! Stores that outlive the process that uses them.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    error::Result,
    store::{Memory, SharedStore},
};

/// A place where a store keeps its content while processes come and go: each [`open`](Self::open) is a new process.
///
/// ```
/// use belts::{store::{Memory, Store}, testing::Reopen};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let place = Memory::new();
/// let (first, second) = (place.open().await?, place.open().await?);
/// assert_eq!(first.subscriptions().await?, second.subscriptions().await?);
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Reopen: Send + Sync + 'static {
    /// Opens the store with everything that was written to it before.
    ///
    /// # Errors
    /// The store cannot be opened.
    async fn open(&self) -> Result<SharedStore>;
}

#[async_trait]
impl Reopen for Memory {
    async fn open(&self) -> Result<SharedStore> {
        Ok(Arc::new(self.clone()))
    }
}

/// A store that is already open; opening it again returns the same one.
#[async_trait]
impl Reopen for SharedStore {
    async fn open(&self) -> Result<SharedStore> {
        Ok(Arc::clone(self))
    }
}

#[async_trait]
impl Reopen for Box<dyn Reopen> {
    async fn open(&self) -> Result<SharedStore> {
        (**self).open().await
    }
}

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteFile;

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::{
        env, fs,
        path::{Path, PathBuf},
        sync::Arc,
    };

    use async_trait::async_trait;
    use uuid::Uuid;

    use super::Reopen;
    use crate::{
        error::{Error, Result},
        store::{SharedStore, Sqlite, Synchronous},
    };

    /// A SQLite file in a directory of its own, removed when this is dropped.
    ///
    /// It is written without waiting for the disk: a test's process dies, but not its machine.
    #[derive(Debug)]
    pub struct SqliteFile {
        directory: PathBuf,
    }

    impl SqliteFile {
        /// A new file in the system's directory for temporary files; it is created when first opened.
        pub fn temporary() -> Self {
            Self {
                directory: env::temp_dir().join(format!("belts-test-{}", Uuid::now_v7().simple())),
            }
        }

        /// Where the file is.
        pub fn path(&self) -> PathBuf {
            self.directory.join("belts.db")
        }

        fn directory(&self) -> &Path {
            &self.directory
        }
    }

    #[async_trait]
    impl Reopen for SqliteFile {
        async fn open(&self) -> Result<SharedStore> {
            fs::create_dir_all(self.directory()).map_err(|error| {
                Error::store("cannot create the directory of a test's store", error)
            })?;
            let store = Sqlite::builder(self.path())
                .synchronous(Synchronous::Normal)
                .open()
                .await?;
            Ok(Arc::new(store))
        }
    }

    impl Drop for SqliteFile {
        fn drop(&mut self) {
            // Leftovers are among the system's temporary files.
            let _ = fs::remove_dir_all(self.directory());
        }
    }
}
