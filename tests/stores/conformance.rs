//! The conformance suite, for each store.

use std::sync::Arc;

use async_trait::async_trait;
use belts::{
    conformance::store::Storage,
    store::{Memory, SharedStore, Sqlite, Synchronous},
};
use tempfile::TempDir;

pub(crate) struct InMemory(pub(crate) Memory);

#[async_trait]
impl Storage for InMemory {
    async fn open(&self) -> belts::Result<SharedStore> {
        Ok(Arc::new(self.0.clone()))
    }
}

/// A database of its own, that each client opens anew.
pub(crate) struct InFile {
    directory: TempDir,
    synchronous: Synchronous,
}

impl InFile {
    pub(crate) fn new(synchronous: Synchronous) -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
            synchronous,
        }
    }
}

#[async_trait]
impl Storage for InFile {
    async fn open(&self) -> belts::Result<SharedStore> {
        let path = self.directory.path().join("belts.db");
        Ok(Arc::new(
            Sqlite::builder(path)
                .synchronous(self.synchronous)
                .open()
                .await?,
        ))
    }
}

/// A database that all clients share as clones of one store.
struct OneStore(TempDir, tokio::sync::OnceCell<Sqlite>);

#[async_trait]
impl Storage for OneStore {
    async fn open(&self) -> belts::Result<SharedStore> {
        let path = self.0.path().join("belts.db");
        let store = self.1.get_or_try_init(|| Sqlite::open(path)).await?;
        Ok(Arc::new(store.clone()))
    }
}

mod memory {
    use super::{InMemory, Memory};
    belts::store_conformance!(InMemory(Memory::new()));
}

mod sqlite {
    use super::{InFile, Synchronous};
    belts::store_conformance!(InFile::new(Synchronous::Full));
}

mod sqlite_one_store {
    use super::OneStore;
    belts::store_conformance!(OneStore(
        tempfile::tempdir().expect("a temporary directory can be made"),
        tokio::sync::OnceCell::new()
    ));
}

#[tokio::test]
async fn run_all_runs_every_case() {
    belts::conformance::store::run_all(|| InMemory(Memory::new())).await;
    belts::conformance::store::run_all(|| InFile::new(Synchronous::Normal)).await;
}
