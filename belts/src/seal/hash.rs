//! What is looked for and never read: keyed hashes of correlation keys, and of the digests of events.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::store::EventDigest;

/// How every hashed key begins.
const PREFIX: &str = "h1.";

/// Hashes by one secret, which is never the one that seals.
#[derive(Clone)]
pub(super) struct Hasher(Hmac<Sha256>);

impl Hasher {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let derived = mac(secret)
            .chain_update(b"belts: what is looked for")
            .finalize();
        Self(mac(&derived.into_bytes()))
    }

    /// What stands in the place of a correlation key.
    pub(super) fn key(&self, key: &str) -> Arc<str> {
        let hash = self.hash(b"key", key.as_bytes());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&hash[..18])).into()
    }

    /// What stands in the place of an event's digest.
    pub(super) fn digest(&self, digest: EventDigest) -> EventDigest {
        let hash = self.hash(b"digest", &digest.0);
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        EventDigest(first)
    }

    fn hash(&self, what: &[u8], text: &[u8]) -> [u8; 32] {
        let mac = self.0.clone().chain_update(what).chain_update([0]);
        mac.chain_update(text).finalize().into_bytes().into()
    }
}

fn mac(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}
