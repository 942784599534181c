//! Signatures by the Standard Webhooks scheme: who has the key signs, and sees whether a signature fits.

use std::{fmt, str::FromStr, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _, digest::CtOutput};
use sha2::Sha256;

use crate::{
    clock::Timestamp,
    dispatch::wire,
    error::{Error, ErrorKind, Result},
};

/// How far a signature's time may differ from the worker's.
pub(crate) const WINDOW_MILLIS: u64 = 5 * 60 * 1000;
/// The scheme demands 24 to 64 bytes.
const MIN_KEY_BYTES: usize = 24;
const PREFIX: &str = "whsec_";
const VERSION: &str = "v1";

/// A secret that signs deliveries according to [Standard Webhooks](https://www.standardwebhooks.com).
///
/// It is written as `whsec_` and base64, as base64 alone, like in other libraries, or, if it is not
/// base64, as plain text. It has at least 24 bytes, and `Debug` never shows it.
///
/// ```
/// use belts::http::SigningKey;
/// use std::time::{Duration, SystemTime};
///
/// let key: SigningKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
/// let body = br#"{"test": 2432232314}"#;
/// let headers = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time, body);
/// assert_eq!(headers[0], ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()));
/// assert_eq!(headers[1], ("webhook-timestamp", "1614265330".to_owned()));
/// assert_eq!(headers[2], ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()));
/// # Ok::<(), belts::Error>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    mac: Hmac<Sha256>,
}

impl SigningKey {
    /// The headers that sign a request with this body: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
    ///
    /// The id stays the same when a message is resent. The receiver accepts a time within five minutes of its own.
    pub fn sign(
        &self,
        id: &str,
        time: impl Into<SystemTime>,
        body: &[u8],
    ) -> [(&'static str, String); 3] {
        let seconds = Timestamp::from(time.into())
            .as_millis()
            .div_euclid(1000)
            .to_string();
        let signature = STANDARD.encode(self.mac_of(id, &seconds, body).finalize().into_bytes());
        [
            (wire::WEBHOOK_ID, id.to_owned()),
            (wire::WEBHOOK_TIMESTAMP, seconds),
            (wire::WEBHOOK_SIGNATURE, format!("{VERSION},{signature}")),
        ]
    }

    /// Parses keys; the error names the position of the invalid one, and not the key.
    pub(crate) fn read_all<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Result<Vec<Self>> {
        let read = |(index, key): (usize, K)| {
            Self::read(key.as_ref()).map_err(|wrong| {
                Error::new(
                    ErrorKind::Config,
                    format!("signing key {} {wrong}", index + 1),
                )
            })
        };
        keys.into_iter().enumerate().map(read).collect()
    }

    fn read(secret: &str) -> Result<Self, String> {
        let bytes = match secret.strip_prefix(PREFIX) {
            Some(encoded) if encoded.contains(',') => {
                return Err("contains a comma: pass each key separately".to_owned());
            }
            Some(encoded) => STANDARD
                .decode(encoded)
                .map_err(|_| format!("is not base64 after its prefix `{PREFIX}`"))?,
            None => STANDARD.decode(secret).unwrap_or_else(|_| secret.into()),
        };
        if bytes.len() < MIN_KEY_BYTES {
            return Err(format!(
                "has {} bytes, and needs at least {MIN_KEY_BYTES}",
                bytes.len()
            ));
        }
        let mac = Hmac::new_from_slice(&bytes)
            .map_err(|_| "has a length that HMAC does not support".to_owned())?;
        Ok(Self { mac })
    }

    /// Whether one of these signatures is by this key. Every one is compared, in constant time, so that the time it takes tells
    /// nothing of which one fits.
    pub(crate) fn fits(&self, id: &str, seconds: &str, body: &[u8], signatures: &str) -> bool {
        let right = self.mac_of(id, seconds, body).finalize();
        let mut fits = false;
        for signature in candidates(signatures) {
            fits |= signature == right;
        }
        fits
    }

    fn mac_of(&self, id: &str, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

impl FromStr for SigningKey {
    type Err = Error;

    fn from_str(secret: &str) -> Result<Self> {
        Self::read(secret)
            .map_err(|wrong| Error::new(ErrorKind::Config, format!("the signing key {wrong}")))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The signatures of our version; a sender that rotates its keys sends several.
fn candidates(signatures: &str) -> impl Iterator<Item = CtOutput<Hmac<Sha256>>> + '_ {
    const MOST: usize = 8;
    signatures
        .split_ascii_whitespace()
        .filter_map(|signature| signature.split_once(','))
        .filter(|(version, _)| *version == VERSION)
        .take(MOST)
        .filter_map(|(_, encoded)| <[u8; 32]>::try_from(STANDARD.decode(encoded).ok()?).ok())
        .map(|bytes| CtOutput::new(bytes.into()))
}
