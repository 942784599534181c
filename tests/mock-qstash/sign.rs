//! Signs deliveries as the service does: a JWT over the destination and the hash of the body.

use base64::{
    Engine as _,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The key that signs, and the one that will after a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Keys {
    /// Signs now.
    pub current: String,
    /// Signs after the next rotation.
    pub next: String,
}

impl Keys {
    /// These two.
    pub fn new(current: &str, next: &str) -> Self {
        Self {
            current: current.to_owned(),
            next: next.to_owned(),
        }
    }
}

impl Default for Keys {
    /// The public keys of the service's own development server.
    fn default() -> Self {
        Self::new(
            "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
            "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
        )
    }
}

/// What a token says. The fields stand in the order of the alphabet, as in the service's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the claims are the protocol's")]
#[non_exhaustive]
pub struct Claims {
    pub aud: String,
    pub body: String,
    pub exp: u64,
    pub iat: u64,
    pub iss: String,
    pub jti: String,
    pub nbf: u64,
    pub sub: String,
}

impl Claims {
    /// A token is good for five minutes.
    pub const LIFE_SECONDS: u64 = 300;

    /// What the service says of a delivery of this body to this destination at this second.
    pub fn new(destination: &str, body: &[u8], now: u64, jti: &str) -> Self {
        Self {
            aud: String::new(),
            body: body_hash(body),
            exp: now + Self::LIFE_SECONDS,
            iat: now,
            iss: "Upstash".to_owned(),
            jti: jti.to_owned(),
            nbf: now,
            sub: destination.to_owned(),
        }
    }
}

/// The claim `body`: the hash in the alphabet of URLs, with padding.
pub fn body_hash(body: &[u8]) -> String {
    URL_SAFE.encode(Sha256::digest(body))
}

/// The token of these claims. The key is the whole text, its `sig_` too.
pub fn sign(key: &str, claims: &Claims) -> String {
    let claims = serde_json::to_string(claims).unwrap_or_default();
    token(key, r#"{"alg":"HS256","typ":"JWT"}"#, &claims)
}

/// A token with any header and claims, signed with HMAC-SHA256.
pub(crate) fn token(key: &str, header: &str, claims: &str) -> String {
    let signed = signing_input(header, claims);
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{signed}.{signature}")
}

pub(crate) fn signing_input(header: &str, claims: &str) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    )
}
