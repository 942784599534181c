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

    /// Whether it is this one, compared as above.
    #[cfg(any(test, feature = "dashboard"))]
    pub(super) fn is(&self, token: &str) -> bool {
        hash(token.as_bytes()) == self.0
    }

    /// A key for another purpose, from which nobody learns the token.
    #[cfg(feature = "dashboard")]
    pub(super) fn derived(&self, purpose: &str) -> [u8; 32] {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("a key of any length will do");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
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
