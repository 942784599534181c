//! Which requests are deliveries of the service, and which keys verify each.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{
    seen::Seen,
    verify::{Delivered, KeyPair, Verified},
};
use crate::{
    dispatch::{Finality, Pushed, Recognized},
    error::{Error, ErrorKind, Result},
};

const SIGNATURE: &str = "upstash-signature";
const MESSAGE_ID: &str = "upstash-message-id";
const REGION: &str = "upstash-region";
const NON_RETRYABLE: HeaderName = HeaderName::from_static("upstash-nonretryable-error");
/// The status that, with the header above, keeps the service from retrying.
const FINAL_STATUS: u16 = 489;

/// Verifies deliveries.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The keys of all regions that have none of their own.
    pub(super) keys: Option<KeyPair>,
    pub(super) regions: Vec<(String, KeyPair)>,
    pub(super) tolerance: Duration,
    pub(super) seen: Seen,
}

impl Receiver {
    /// Whether it can verify anything.
    pub(super) fn verifies(&self) -> bool {
        self.keys.is_some() || !self.regions.is_empty()
    }

    /// Verifies a request that carries a signature of the service.
    pub(super) fn recognize(
        &self,
        request: &Pushed<'_>,
        destination: &str,
    ) -> Option<Result<Recognized>> {
        if !request.headers.contains_key(SIGNATURE) {
            return None;
        }
        let verified = self.verify(request, destination);
        Some(verified.map_err(|wrong| {
            Error::new(
                ErrorKind::Signature,
                format!("the QStash signature is not valid: {wrong}"),
            )
        }))
    }

    fn verify(&self, request: &Pushed<'_>, destination: &str) -> Result<Recognized, String> {
        let keys = self.keys_of(request.headers)?;
        let urls: Vec<_> = std::iter::once(destination).chain(request.url).collect();
        let verified = keys.verify(Delivered {
            token: only(request.headers, SIGNATURE)?,
            body: request.body,
            now: request.now,
            tolerance: self.tolerance,
            urls: &urls,
        })?;
        // The id is not signed, but it is only compared with itself, and a token cannot introduce a second one.
        let message_id = only(request.headers, MESSAGE_ID)?;
        let Verified { id, expires_at } = verified;
        let first = id.map(|id| self.seen.first(id, message_id, expires_at, request.now));
        let message_id = first.as_deref().unwrap_or(message_id);
        Ok(Recognized::new(Some(format!("qstash:{message_id}"))).with_finality(finality()))
    }

    /// The keys of the region that delivers.
    fn keys_of(&self, headers: &HeaderMap) -> Result<&KeyPair, String> {
        let from = headers
            .get(REGION)
            .and_then(|from| from.to_str().ok())
            .map(region);
        let own = self
            .regions
            .iter()
            .find(|(region, _)| Some(region) == from.as_ref());
        own.map(|(_, keys)| keys).or(self.keys.as_ref()).ok_or_else(|| {
            "this program has no signing keys: set QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY, or `signing_keys`".to_owned()
        })
    }
}

/// A region's name as in variables: the service sends `US-EAST-1` in a header, and variables have `US_EAST_1`.
pub(super) fn region(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(value)), None) if !value.is_empty() => Ok(value),
        _ => Err(format!(
            "the header `{name}` is missing, or not a single value"
        )),
    }
}

fn finality() -> Finality {
    Finality {
        status: StatusCode::from_u16(FINAL_STATUS).expect("489 is a status"),
        header: (NON_RETRYABLE, HeaderValue::from_static("true")),
    }
}
