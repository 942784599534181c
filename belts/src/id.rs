//! Ids: new ones, and those that follow from what they stand for.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The id of an event: one that follows from its type and its idempotency key, or a new one.
pub(crate) fn event_id(event_type: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => stable_id(&[event_type, key]),
        None => new_id().to_string(),
    }
}

/// A new id, of a run or an event; ids sort by the time of their making.
///
/// ```
/// use belts::store::parts::new_id;
/// assert_ne!(new_id(), new_id());
/// ```
pub fn new_id() -> Arc<str> {
    let mut text = [0; uuid::fmt::Simple::LENGTH];
    Arc::from(&*Uuid::now_v7().simple().encode_lower(&mut text))
}

/// A number that follows from a text: the first eight bytes of its SHA-256.
pub(crate) fn digest(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(bytes)
}

/// An id that follows from its parts: a UUID version 8 over their SHA-256, each part with its length before it.
pub(crate) fn stable_id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes).simple().to_string()
}
