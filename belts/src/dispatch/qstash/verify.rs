//! Verifies that a delivery comes from the service: its token, its time, its destination and its body.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, de::IgnoredAny};
use sha2::{Digest as _, Sha256};

use super::{seen::TokenId, urls};
use crate::clock::Timestamp;

/// The prefix of a signing key; it is part of the key.
const PREFIX: &str = "sig_";

/// The key that signs now, and the one that will sign after a rotation.
#[derive(Clone)]
pub(super) struct KeyPair {
    current: Hmac<Sha256>,
    next: Hmac<Sha256>,
}

/// A delivery, as far as its token covers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivered<'a> {
    pub(super) token: &'a str,
    pub(super) body: &'a [u8],
    pub(super) now: Timestamp,
    pub(super) tolerance: Duration,
    /// The URLs of this worker.
    pub(super) urls: &'a [&'a str],
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// Times may have fractions, according to the standard of such tokens.
    exp: f64,
    nbf: f64,
    iat: Option<f64>,
    jti: Option<IgnoredAny>,
    body: String,
}

/// A valid token.
#[derive(Debug)]
pub(super) struct Verified {
    /// Distinguishes it from all others. Without its `jti`, two tokens of the same second for equal bodies are equal.
    pub(super) id: Option<TokenId>,
    /// When it expires.
    pub(super) expires_at: Timestamp,
}

impl KeyPair {
    /// Parses both keys; the error says which is wrong, without repeating it.
    pub(super) fn read(current: &str, next: &str) -> Result<Self, String> {
        Ok(Self {
            current: read_key(current).map_err(|wrong| format!("current signing key {wrong}"))?,
            next: read_key(next).map_err(|wrong| format!("next signing key {wrong}"))?,
        })
    }

    /// Whether one of the keys signed this delivery, for this worker and this time.
    pub(super) fn verify(&self, delivered: Delivered<'_>) -> Result<Verified, String> {
        let (signed, signature) = split(delivered.token)?;
        let signed_with = self.which(signed, &signature).ok_or(
            "it is signed with neither the current nor the next signing key: if the keys were rotated, give this program the new ones",
        )?;
        // From here on the token is known to be the service's.
        let claims: Claims = part(signed, 1).ok_or("its claims are incomplete")?;
        claims.check(&delivered).map_err(|wrong| {
            format!("it is signed with the {signed_with} signing key, but {wrong}")
        })?;
        Ok(claims.verified(signed, delivered.tolerance))
    }

    /// Both keys are always tried, in constant time.
    fn which(&self, signed: &str, signature: &[u8]) -> Option<&'static str> {
        let fits = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(signed.as_bytes());
            mac.verify_slice(signature).is_ok()
        };
        match (fits(&self.current), fits(&self.next)) {
            (true, _) => Some("current"),
            (false, true) => Some("next"),
            (false, false) => None,
        }
    }
}

fn read_key(key: &str) -> Result<Hmac<Sha256>, String> {
    if !key.starts_with(PREFIX)
        || key.len() == PREFIX.len()
        || !key.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(format!(
            "must begin with `{PREFIX}`, as the console shows it"
        ));
    }
    Hmac::new_from_slice(key.as_bytes())
        .map_err(|_| "has a length that HMAC does not support".to_owned())
}

/// The signed part and the signature of a well-formed token.
fn split(token: &str) -> Result<(&str, Vec<u8>), &'static str> {
    const NO_TOKEN: &str = "it is not a token of three parts";
    let (signed, signature) = token.rsplit_once('.').ok_or(NO_TOKEN)?;
    if signed.matches('.').count() != 1 {
        return Err(NO_TOKEN);
    }
    let header: Header = part(signed, 0).ok_or(NO_TOKEN)?;
    // The receiver chooses the algorithm, never the token.
    if header.alg != "HS256" {
        return Err("it is not signed with HS256");
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NO_TOKEN)?;
    Ok((signed, signature))
}

fn part<T: for<'de> Deserialize<'de>>(signed: &str, index: usize) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(signed.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

impl Claims {
    fn verified(&self, signed: &str, tolerance: Duration) -> Verified {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a time that is too far away is cut to the last one there is"
        )]
        let expires_at = Timestamp::from_millis((self.exp * 1000.0) as i64).after(tolerance);
        let id = self.jti.is_some().then(|| Sha256::digest(signed).into());
        Verified { id, expires_at }
    }

    fn check(&self, delivered: &Delivered<'_>) -> Result<(), String> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 are far below 2^52"
        )]
        let now = delivered.now.as_millis() as f64 / 1000.0;
        let tolerance = delivered.tolerance.as_secs_f64();
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(delivered.body));
        let set_clock = "set the clock of this machine";
        if self.iss != "Upstash" {
            return Err("its issuer is not `Upstash`".to_owned());
        }
        if now >= self.exp + tolerance {
            return Err(format!(
                "it expired {:.0} s ago: if this happens to all of them, {set_clock}",
                now - self.exp
            ));
        }
        if self.nbf.max(self.iat.unwrap_or(0.0)) > now + tolerance {
            return Err(format!("it is not valid yet: {set_clock}"));
        }
        if !delivered
            .urls
            .iter()
            .any(|url| urls::is_same(&self.sub, url))
        {
            return Err(format!(
                "it is for `{}`, but this worker is `{}`: publish to the URL that this worker is configured with",
                urls::without_query(&self.sub),
                delivered
                    .urls
                    .iter()
                    .map(|url| urls::without_query(url))
                    .collect::<Vec<_>>()
                    .join("` or `")
            ));
        }
        if self.body.trim_end_matches('=') != hash {
            return Err("it is for another body: something between the service and this worker modifies bodies".to_owned());
        }
        Ok(())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(..)")
    }
}
