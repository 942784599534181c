//! What a worker is told of encryption when it is built.

use std::sync::Arc;

use crate::{
    error::{Error, ErrorKind, Result},
    seal::Keyring,
    store::{Encrypted, SharedStore},
};

/// What a builder knows of encryption.
#[derive(Default)]
pub(crate) struct Encryption {
    pub(crate) keys: Option<Keyring>,
    /// The store that was given, or what is inside of it, where that is encrypted already.
    pub(super) given: Option<Encrypted>,
}

impl Encryption {
    /// The store as the worker uses it, and the same once more if it is encrypted: messages are sealed as it seals.
    ///
    /// # Errors
    /// The keys cannot be.
    pub(super) fn around(self, store: SharedStore) -> Result<(SharedStore, Option<Encrypted>)> {
        if self.given.is_some() {
            return Ok((store, self.given));
        }
        let Some(keys) = self.keys else {
            return Ok((store, None));
        };
        let encrypted = Encrypted::new(store, &keys).map_err(|wrong| {
            Error::new(
                ErrorKind::Config,
                format!("the keys for encryption: {wrong}"),
            )
        })?;
        Ok((Arc::new(encrypted.clone()), Some(encrypted)))
    }
}
