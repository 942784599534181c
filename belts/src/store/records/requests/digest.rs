//! What tells two events under one id apart.

use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A digest of an event's type and payload: the first half of a SHA-256 over them.
///
/// The order of the fields of an object makes no difference, since not every JSON library keeps it.
///
/// ```
/// use belts::store::EventDigest;
/// let one = EventDigest::of("order-created", br#"{"id":"o-17","cents":1290}"#);
/// assert_eq!(one, EventDigest::of("order-created", br#"{"cents":1290,"id":"o-17"}"#));
/// assert_ne!(one, EventDigest::of("order-created", br#"{"cents":1291,"id":"o-17"}"#));
/// assert_ne!(one, EventDigest::of("order-changed", br#"{"id":"o-17","cents":1290}"#));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventDigest(pub [u8; 16]);

impl fmt::Debug for EventDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl EventDigest {
    /// The digest of an event.
    pub fn of(event_type: &str, payload: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update((event_type.len() as u64).to_be_bytes());
        hash.update(event_type.as_bytes());
        match serde_json::from_slice(payload) {
            Ok(value) => feed(&mut hash, &value),
            // What is no JSON is compared byte for byte.
            Err(_) => hash.update(payload),
        }
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        Self(first)
    }
}

/// Feeds JSON with the fields of each object in the order of their names.
fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Array(items) => {
            hash.update([b'[']);
            for item in items {
                feed(hash, item);
            }
            hash.update([b']']);
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            hash.update([b'{']);
            for (name, value) in sorted {
                text(hash, name);
                feed(hash, value);
            }
            hash.update([b'}']);
        }
        Value::String(string) => text(hash, string),
        plain => {
            hash.update(plain.to_string());
            hash.update([b',']);
        }
    }
}

fn text(hash: &mut Sha256, text: &str) {
    hash.update([b'"']);
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}
