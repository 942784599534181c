//! The conformance suite over encrypted stores, each with its own keys.

use std::sync::Arc;
use std::sync::OnceLock;

use async_trait::async_trait;
use belts::{
    Keyring,
    conformance::store::Storage,
    store::{Encrypted, Memory, SharedStore, Synchronous},
};

use crate::conformance::{InFile, InMemory};

/// A storage whose clients are encrypted.
pub(crate) struct Sealed<S>(S, OnceLock<Encrypted>);

impl<S> Sealed<S> {
    pub(crate) fn new(storage: S) -> Self {
        Self(storage, OnceLock::new())
    }
}

#[async_trait]
impl<S: Storage> Storage for Sealed<S> {
    async fn open(&self) -> belts::Result<SharedStore> {
        let inner = self.0.open().await?;
        let keys = Keyring::new("2026-11", [7; 32]).and_old("2026-01", [3; 32]);
        let first = Encrypted::new(Arc::clone(&inner), &keys)?;
        // The cases commit with leases that another client was given.
        Ok(Arc::new(self.1.get_or_init(|| first).beside(inner)))
    }
}

mod memory {
    use super::{InMemory, Memory, Sealed};
    belts::store_conformance!(Sealed::new(InMemory(Memory::new())));
}

mod sqlite {
    use super::{InFile, Sealed, Synchronous};
    belts::store_conformance!(Sealed::new(InFile::new(Synchronous::Normal)));
}
