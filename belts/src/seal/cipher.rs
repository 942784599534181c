//! Sealing and opening.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};

use super::{Keyring, Place, hash::Hasher, squeeze};
use crate::{
    codec::sealed::{self, BEGIN},
    error::{Error, Result},
    store::{EventDigest, Flow, NewEvent, is_answer},
};

/// What stands between the id of the key and what is sealed.
const MIDDLE: &[u8] = b"\",\"data\":\"";
const END: &[u8] = b"\"}";
const NONCE: usize = 24;
/// What was sealed is compressed.
const SQUEEZED: u8 = 1;
/// A text of its own stands before the value.
const LABELLED: u8 = 2;
/// The most bytes of one value: more than any store holds in a row.
const MOST: usize = 1 << 30;

struct Key {
    id: Arc<str>,
    cipher: XChaCha20Poly1305,
}

/// Seals, opens and hashes with the keys of a ring.
pub(crate) struct Sealer {
    keys: Vec<Key>,
    hasher: Hasher,
    /// Those by which earlier rings may have hashed.
    earlier: Vec<Hasher>,
}

/// A value that was sealed, with the text beside it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) label: Option<Arc<str>>,
    pub(crate) value: Arc<[u8]>,
}

impl Sealer {
    /// # Errors
    /// Two keys have one id, or one has none.
    pub(crate) fn new(ring: &Keyring) -> Result<Self> {
        ring.check()?;
        let keys = ring.keys.iter().map(|(id, secret)| Key {
            id: Arc::clone(id),
            cipher: XChaCha20Poly1305::new((&*secret.0).into()),
        });
        let mut hashers = ring.hashing().map(Hasher::new);
        Ok(Self {
            keys: keys.collect(),
            hasher: hashers.next().expect("a checked ring has a key"),
            earlier: hashers.collect(),
        })
    }

    /// Seals a value, and a text beside it, for one place.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn seal(
        &self,
        place: Place<'_>,
        label: Option<&str>,
        value: &[u8],
    ) -> Result<Arc<[u8]>> {
        let key = &self.keys[0];
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| Error::store("cannot draw a nonce", error.to_string()))?;
        let payload = Payload {
            msg: &packed(label, value),
            aad: &place.bytes(),
        };
        let data = key
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::too_large("the value is too large to be encrypted"))?;
        let mut out = Vec::with_capacity(BEGIN.len() + 64 + (NONCE + data.len()) * 4 / 3);
        out.extend_from_slice(BEGIN);
        out.extend_from_slice(key.id.as_bytes());
        out.extend_from_slice(MIDDLE);
        let mut text = String::with_capacity((NONCE + data.len()) * 4 / 3 + 4);
        // 24 bytes are 32 characters without a rest.
        STANDARD.encode_string(nonce, &mut text);
        STANDARD.encode_string(&data, &mut text);
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(END);
        Ok(out.into())
    }

    /// Seals what an event says, and hashes what it is found and compared by.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub(crate) fn seal_event(&self, event: &mut NewEvent) -> Result<()> {
        let place = Place::Event {
            id: &event.id,
            event_type: &event.event_type,
        };
        event.payload = self.seal(place, None, &event.payload)?;
        event.digest = self.hasher.digest(event.digest);
        // The keys of answers are ids, which the store itself looks for.
        if !is_answer(&event.event_type) {
            let key = event.correlation_key.as_deref();
            event.correlation_key = key.map(|key| self.hashed(key));
        }
        for (_, flow) in &mut event.flows {
            self.hash_flow(flow);
        }
        Ok(())
    }

    /// Hashes the keys of flow options. One that is empty is none.
    pub(crate) fn hash_flow(&self, flow: &mut Flow) {
        let rates = [&mut flow.throttle, &mut flow.rate_limit];
        let keys = rates.into_iter().flatten().map(|rate| &mut rate.key);
        let keys = keys
            .chain(flow.lanes.iter_mut().map(|lane| &mut lane.key))
            .chain(flow.debounce.as_mut().map(|debounce| &mut debounce.key))
            .chain(flow.batch.as_mut().map(|batch| &mut batch.key))
            .chain(flow.singleton.as_mut().map(|singleton| &mut singleton.key))
            .chain(flow.idempotent.as_mut().map(|once| &mut once.key));
        for key in keys.filter(|key| !key.is_empty()) {
            *key = self.hashed(key);
        }
    }

    /// Opens what was sealed for this place; `None` if it does not open, for whatever reason.
    pub(crate) fn open(&self, place: Place<'_>, value: &[u8]) -> Option<Opened> {
        self.open_within(place, value, MOST)
    }

    /// The same, if it has no more bytes than that.
    pub(crate) fn open_within(
        &self,
        place: Place<'_>,
        value: &[u8],
        most: usize,
    ) -> Option<Opened> {
        let id = sealed::key_of(value)?;
        let key = self.keys.iter().find(|key| *key.id == *id)?;
        let text = value
            .strip_prefix(BEGIN)?
            .strip_prefix(id.as_bytes())?
            .strip_prefix(MIDDLE)?
            .strip_suffix(END)?;
        let data = STANDARD.decode(text).ok()?;
        let (nonce, data) = data.split_first_chunk::<NONCE>()?;
        let payload = Payload {
            msg: data,
            aad: &place.bytes(),
        };
        let packed = key.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
        unpacked(&packed, most)
    }

    /// Whether one of its keys has this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|key| *key.id == *id)
    }

    /// The id of the key that seals.
    pub(crate) fn primary(&self) -> &str {
        &self.keys[0].id
    }

    /// What stands in the place of a correlation key.
    pub(crate) fn hashed(&self, key: &str) -> Arc<str> {
        self.hasher.key(key)
    }

    /// What may stand in its place where another ring, or an earlier one, has hashed.
    pub(crate) fn earlier_hashes<'a>(
        &'a self,
        key: &'a str,
    ) -> impl Iterator<Item = Arc<str>> + 'a {
        let hashed = self.hashed(key);
        let others = self.earlier.iter().map(|hasher| hasher.key(key));
        // The key that hashes may be one of the ring.
        others.filter(move |other| *other != hashed)
    }

    /// What may have stood in the place of an event's digest before: from an earlier ring, or from the time before there was one.
    pub(crate) fn earlier_digests(&self, digest: EventDigest) -> impl Iterator<Item = EventDigest> {
        let hashed = self.earlier.iter().map(move |hasher| hasher.digest(digest));
        hashed.chain(std::iter::once(digest))
    }
}

/// What is encrypted: how it is packed, and then the label and the value.
fn packed(label: Option<&str>, value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(8 + label.map_or(0, str::len) + value.len());
    plain.push(0);
    if let Some(label) = label {
        plain[0] |= LABELLED;
        plain.extend_from_slice(&length(label.len()));
        plain.extend_from_slice(label.as_bytes());
    }
    plain.extend_from_slice(value);
    let Some(squeezed) = squeeze::smaller(&plain[1..]) else {
        return plain;
    };
    let mut packed = Vec::with_capacity(5 + squeezed.len());
    packed.push(plain[0] | SQUEEZED);
    packed.extend_from_slice(&length(plain.len() - 1));
    packed.extend_from_slice(&squeezed);
    packed
}

fn unpacked(packed: &[u8], most: usize) -> Option<Opened> {
    let (flags, rest) = packed.split_first()?;
    let restored;
    let mut plain = rest;
    if flags & SQUEEZED != 0 {
        let (bytes, squeezed) = take_length(rest)?;
        restored = squeeze::restored(squeezed, bytes.min(most))?;
        plain = &restored;
    }
    if plain.len() > most {
        return None;
    }
    let mut label = None;
    if flags & LABELLED != 0 {
        let (bytes, rest) = take_length(plain)?;
        let (text, value) = rest.split_at_checked(bytes)?;
        label = Some(std::str::from_utf8(text).ok()?.into());
        plain = value;
    }
    Some(Opened {
        label,
        value: plain.into(),
    })
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, rest))
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.keys.iter().map(|key| &*key.id).collect();
        f.debug_struct("Sealer")
            .field("ids", &ids)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
