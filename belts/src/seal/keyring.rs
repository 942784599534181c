//! The keys of a program.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{
    codec::sealed::{MAX_KEY_ID, is_key_id},
    error::{Error, ErrorKind, Result},
};

/// The entry of `BELTS_ENCRYPTION_KEYS` that hashes and does not seal.
const HASH: &str = "hash";

/// The most keys of a ring: each is tried for whatever is looked for.
const MOST_KEYS: usize = 20;

/// The 32 bytes of a key. They are wiped when it is dropped, and `Debug` does not show them.
#[derive(Clone)]
pub struct Secret(pub(super) Zeroizing<[u8; 32]>);

impl From<[u8; 32]> for Secret {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<&[u8; 32]> for Secret {
    fn from(bytes: &[u8; 32]) -> Self {
        Self::from(*bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The keys that seal what users write, each with an id that is stored beside what it has sealed.
///
/// The first key seals, and every key opens. [Secrets](crate::guide::secrets) says how to change keys.
///
/// ```
/// use belts::Keyring;
///
/// let (key, old) = ([7; 32], [3; 32]);
/// let keys = Keyring::new("2026-11", key).and_old("2026-01", old);
/// assert_eq!(keys.ids().collect::<Vec<_>>(), ["2026-11", "2026-01"]);
/// assert_eq!(format!("{keys:?}"), r#"Keyring { ids: ["2026-11", "2026-01"] }"#);
/// ```
#[derive(Clone)]
pub struct Keyring {
    pub(super) keys: Vec<(Arc<str>, Secret)>,
    hash: Option<Secret>,
}

impl Keyring {
    /// A ring of one key, which seals and opens. The id is 1 to 32 letters, digits, `-`, `_` and `.`; the key 32 random bytes.
    pub fn new(id: impl Into<Arc<str>>, key: impl Into<Secret>) -> Self {
        Self {
            keys: vec![(id.into(), key.into())],
            hash: None,
        }
    }

    /// Adds a key that only opens. The last one also [hashes](Self::and_hash) what is looked for, unless another is named for that.
    #[must_use]
    pub fn and_old(mut self, id: impl Into<Arc<str>>, key: impl Into<Secret>) -> Self {
        self.keys.push((id.into(), key.into()));
        self
    }

    /// Names the key by which correlation keys are hashed, in place of the last key of the ring. It opens nothing.
    ///
    /// A run that waits looks under every key of its ring; whoever publishes hashes by the last one. So that key is named here when it is
    /// taken from the ring, for as long as runs wait that know no other.
    ///
    /// ```
    /// let (key, old) = ([7; 32], [3; 32]);
    /// let keys = belts::Keyring::new("2026-11", key).and_hash(old);
    /// # let _ = keys;
    /// ```
    #[must_use]
    pub fn and_hash(mut self, key: impl Into<Secret>) -> Self {
        self.hash = Some(key.into());
        self
    }

    /// Reads keys as `BELTS_ENCRYPTION_KEYS` has them: `2026-11:<base64>,2026-01:<base64>`, the first of which seals. An entry
    /// `hash:<base64>` is the key that [hashes](Self::and_hash).
    ///
    /// ```
    /// let keys = belts::Keyring::parse("2026-11:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")?;
    /// assert_eq!(keys.ids().next(), Some("2026-11"));
    /// let error = belts::Keyring::parse("2026-11:AQEB").unwrap_err();
    /// assert_eq!(error.to_string(), "entry 1, `2026-11`, has 3 bytes, and a key has 32");
    /// # Ok::<(), belts::Error>(())
    /// ```
    ///
    /// # Errors
    /// An entry is wrong. The error says which one it is and shows nothing of its key.
    pub fn parse(text: &str) -> Result<Self> {
        let mut ring = Self {
            keys: Vec::new(),
            hash: None,
        };
        for (index, entry) in text.split(',').map(str::trim).enumerate() {
            let (id, secret) =
                entry_of(entry).map_err(|wrong| config(format!("entry {}{wrong}", index + 1)))?;
            match id {
                HASH if ring.hash.is_some() => {
                    return Err(config(format!("two entries are named `{HASH}`")));
                }
                HASH => ring.hash = Some(secret),
                id => ring.keys.push((id.into(), secret)),
            }
        }
        ring.check()?;
        Ok(ring)
    }

    /// The ids of its keys, that of the key which seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(id, _)| &**id)
    }

    /// Whether each key has an id of its own that can be stored.
    pub(crate) fn check(&self) -> Result<()> {
        if self.keys.is_empty() {
            return Err(config("no entry is a key that seals".to_owned()));
        }
        if self.keys.len() > MOST_KEYS {
            return Err(config(format!("there are more than {MOST_KEYS} keys")));
        }
        for (index, id) in self.ids().enumerate() {
            if !is_key_id(id) || id == HASH {
                return Err(config(format!(
                    "the id of key {} is not 1 to {MAX_KEY_ID} letters, digits, `-`, `_` and `.`, or is `{HASH}`",
                    index + 1
                )));
            }
            if self.ids().take(index).any(|earlier| earlier == id) {
                return Err(config(format!("two keys have the id `{id}`")));
            }
        }
        Ok(())
    }

    /// The secrets that hash: first the one that counts, then those by which earlier rings may have hashed.
    pub(super) fn hashing(&self) -> impl Iterator<Item = &[u8; 32]> {
        let named = self.hash.iter();
        let ring = self.keys.iter().rev().map(|(_, secret)| secret);
        named.chain(ring).map(|secret| &*secret.0)
    }
}

/// The id and the key of an entry; the error goes on behind its number.
fn entry_of(entry: &str) -> Result<(&str, Secret), String> {
    let (id, key) = entry
        .split_once(':')
        .ok_or(" has no `:`; write an id, `:` and the key as base64")?;
    // What stands there may be a key after all.
    if !is_key_id(id) {
        return Err(format!(
            " has an id that is not 1 to {MAX_KEY_ID} letters, digits, `-`, `_` and `.`"
        ));
    }
    let bytes = STANDARD
        .decode(key)
        .map(Zeroizing::new)
        .map_err(|_| format!(", `{id}`, is not base64 behind its `:`"))?;
    let secret = <[u8; 32]>::try_from(&bytes[..])
        .map_err(|_| format!(", `{id}`, has {} bytes, and a key has 32", bytes.len()))?;
    Ok((id, secret.into()))
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.ids().collect();
        f.debug_struct("Keyring").field("ids", &ids).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_entry_and_never_the_key() {
        const KEY: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";
        let cases = [
            (KEY.to_owned(), "entry 1 has no `:`"),
            (format!("{KEY}:2026-11"), "entry 1 has an id"),
            (format!("a:{KEY},b:{KEY}!"), "entry 2, `b`, is not base64"),
            (format!("a:{KEY},b:c2VjcmV0"), "entry 2, `b`, has 6 bytes"),
            (format!("a:{KEY},a:{KEY}"), "two keys have the id `a`"),
            (format!("hash:{KEY}"), "no entry is a key"),
            (format!("a:{KEY},"), "entry 2 has no `:`"),
        ];
        for (text, expected) in cases {
            let error = Keyring::parse(&text).expect_err("it is wrong");
            assert_eq!(error.kind(), ErrorKind::Config);
            let report = format!("{error:?} {}", error.report());
            assert!(report.contains(expected), "{report}");
            assert!(
                !report.contains("c2Vj") && !report.contains("secret"),
                "{report}"
            );
        }
    }

    #[test]
    fn a_hash_key_opens_nothing() {
        let text = format!(
            "a:{},hash:{}",
            STANDARD.encode([1; 32]),
            STANDARD.encode([2; 32])
        );
        let ring = Keyring::parse(&text).expect("two keys");
        assert_eq!(ring.ids().collect::<Vec<_>>(), ["a"]);
        assert_eq!(ring.hashing().next(), Some(&[2; 32]));
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let ring = Keyring::new("a", [171; 32]).and_hash([205; 32]);
        assert_eq!(format!("{ring:?}"), r#"Keyring { ids: ["a"] }"#);
        assert_eq!(format!("{:?}", Secret::from([171; 32])), "Secret(..)");
    }
}
