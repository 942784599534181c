//! The token for inspecting and changing runs.

use axum::http::{HeaderMap, header};
use hmac::digest::CtOutput;
use sha2::{Digest as _, Sha256};

/// Shorter ones can be guessed.
const LEAST_CHARACTERS: usize = 16;

/// A token, of which only the hash is kept.
#[derive(Clone)]
pub(crate) struct InspectionToken(CtOutput<Sha256>);

impl InspectionToken {
    /// Accepts a token, or says what is wrong with it.
    pub(crate) fn new(token: &str) -> Result<Self, String> {
        let token = token.trim();
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("must consist of visible ASCII characters, without spaces".to_owned());
        }
        if token.len() < LEAST_CHARACTERS {
            return Err(format!(
                "has {} characters, and needs at least {LEAST_CHARACTERS}, such as `openssl rand -hex 32` gives",
                token.len()
            ));
        }
        Ok(Self(hash(token.as_bytes())))
    }

    /// Whether these headers contain it. Hashes are compared in constant time, so that timing reveals nothing about the token.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|given| hash(given) == self.0)
    }

    /// Whether it is this one.
    #[cfg(test)]
    pub(super) fn is(&self, token: &str) -> bool {
        hash(token.as_bytes()) == self.0
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then_some(token.trim_ascii())
}

fn hash(token: &[u8]) -> CtOutput<Sha256> {
    CtOutput::new(Sha256::digest(token))
}

impl std::fmt::Debug for InspectionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InspectionToken(..)")
    }
}
