//! What a worker is told of encryption when it is built.

use std::sync::Arc;

use super::WorkerBuilder;
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
    given: Option<Encrypted>,
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

impl WorkerBuilder {
    /// Encrypts what users write, before it reaches the store or a dispatcher: events, results, failures, statuses, heartbeats and
    /// what completes callbacks. The first key of the ring seals, every key opens.
    ///
    /// [Secrets](crate::guide::secrets) says what is sealed and what is not, and how to change keys.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Keyring, Worker, step, store::{Memory, Store}};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<String> {
    ///     step!("greet", format!("hello, {}", signup.email)).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let (key, old) = ([7; 32], [3; 32]);
    /// let store = Memory::new();
    /// let worker = Worker::builder()
    ///     .store(store.clone())
    ///     .encryption(Keyring::new("2026-11", key).and_old("2026-01", old))
    ///     .build()
    ///     .await?;
    /// worker.execute(Signup { email: "ada@example.com".into() }).function("welcome").run_id("r-1").await?;
    /// assert_eq!(worker.runs().get("r-1").await?.output().map(|json| json.get()), Some(r#""hello, ada@example.com""#));
    /// let stored = store.run("r-1").await?.and_then(|run| run.result).expect("it completed");
    /// assert!(stored.starts_with(br#"{"belts.sealed":1,"key":"2026-11","data":""#));
    /// # Ok(()) }
    /// ```
    pub fn encryption(mut self, keys: Keyring) -> Self {
        self.encryption.keys = Some(keys);
        self
    }

    /// Says that the store which was given has this one inside.
    #[cfg(feature = "testing")]
    pub(crate) fn encrypted(mut self, encrypted: Option<Encrypted>) -> Self {
        self.encryption.given = encrypted;
        self
    }
}
