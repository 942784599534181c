//! Whether a delivery is signed by somebody who may deliver.

use axum::http::HeaderMap;

use super::refusal::Refusal;
use crate::{
    clock::Timestamp,
    dispatch::wire,
    signature::{SigningKey, WINDOW_MILLIS},
};

/// Whether one of the keys signed this body recently.
pub(super) fn verify(
    keys: &[SigningKey],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    let id = header(headers, wire::WEBHOOK_ID)?;
    let seconds = header(headers, wire::WEBHOOK_TIMESTAMP)?;
    let signatures = header(headers, wire::WEBHOOK_SIGNATURE)?;
    let signed_at = seconds.parse::<i64>().map_err(|_| {
        Refusal::signature("the header `webhook-timestamp` is not a number of seconds")
    })?;
    if now.as_millis().abs_diff(signed_at.saturating_mul(1000)) > WINDOW_MILLIS {
        return Err(Refusal::signature(
            "the signature's time differs from this worker's by more than five minutes; sign again, or set the clocks",
        ));
    }
    // Every signature meets every key, so that the time it takes tells nothing of which one fits.
    let mut fits = false;
    for key in keys {
        fits |= key.fits(id, seconds, body, signatures);
    }
    if fits {
        Ok(())
    } else {
        Err(Refusal::signature(
            "no signature matches the body and a signing key of this worker",
        ))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Refusal> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| {
            Refusal::signature(format!(
                "this worker has signing keys, so a delivery must be signed by one of them, and the header `{name}` is missing or not text"
            ))
        })
}
