//! Reads a body: its type and its size.

use std::{future::poll_fn, pin::Pin};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, header},
};

use super::{Limits, refusal::Refusal};
use crate::clock::Clock;

/// How much of a body over the limit is read and dropped, so that a sender that reads only after writing sees the response.
const MOST_DROPPED: usize = 16 * 1024 * 1024;

/// Rejects what is not declared to be JSON. That also keeps web pages from posting here without their user's knowledge:
/// a browser asks before it sends this type to another site.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    if subtype == "json" || subtype.len() > 5 && subtype.ends_with("+json") {
        Ok(())
    } else {
        Err(Refusal::not_json())
    }
}

/// Rejects compressed bodies: a small one could become a large one.
pub(super) fn require_plain(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        Ok(())
    } else {
        Err(Refusal::compressed())
    }
}

/// Reads a body of at most `limit` bytes, within its timeout.
pub(super) async fn read_in_time(
    body: Body,
    limit: usize,
    limits: &Limits,
    clock: &dyn Clock,
) -> Result<Vec<u8>, Refusal> {
    tokio::select! {
        biased;
        body = read(body, limit) => body,
        () = clock.expire_at(clock.now().after(limits.body)) => Err(Refusal::slow(limits.body)),
    }
}

/// Reads a body of at most `limit` bytes.
async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, Refusal> {
    let announced = body.size_hint().lower();
    let fits = announced <= limit as u64;
    let mut bytes = Vec::with_capacity(if fits {
        usize::try_from(announced).unwrap_or(0)
    } else {
        0
    });
    let mut dropped = 0;
    while let Some(chunk) = next(&mut body).await {
        let chunk = chunk?;
        if dropped == 0 && fits && bytes.len() + chunk.len() <= limit {
            bytes.extend_from_slice(&chunk);
            continue;
        }
        dropped += chunk.len();
        if dropped > MOST_DROPPED {
            break;
        }
    }
    if dropped > 0 || !fits {
        Err(Refusal::too_large(limit))
    } else {
        Ok(bytes)
    }
}

async fn next(body: &mut Body) -> Option<Result<Bytes, Refusal>> {
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
        match frame.map(|frame| frame.into_data().ok()) {
            Ok(Some(data)) => return Some(Ok(data)),
            Ok(None) => {}
            Err(_) => return Some(Err(Refusal::bad_request("the body ended early"))),
        }
    }
}
