//! The one module that turns values into bytes: JSON in a versioned envelope.
//!
//! A result is `{"v":1,"ok":<value>}`, a failure `{"v":1,"err":{…}}`. The envelope makes every value a result,
//! `null`, `false`, `0`, `""` and `()` among them.

mod beside;
mod notice;
pub(crate) mod sealed;

use std::{cell::Cell, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
pub use crate::error::{failure::Failure, value::ErrorValue};
pub(crate) use beside::{
    Begins, begins, encode_json, place, progress, to_raw, with_begins, with_place, with_progress,
};
pub(crate) use notice::Lost;
use notice::{Noticing, Seen};

const VERSION: u32 = 1;
const OK_PREFIX: &[u8] = b"{\"v\":1,\"ok\":";

/// The largest buffer, in bytes, that a thread keeps.
const MOST_KEPT: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What an envelope holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<T> {
    /// A result.
    Ok(T),
    /// A failure.
    Err(Failure),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    v: u32,
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    err: Option<Failure>,
}

/// Writes a result.
///
/// ```
/// assert_eq!(&*belts::codec::encode_ok(&())?, br#"{"v":1,"ok":null}"#);
/// # Ok::<(), belts::Error>(())
/// ```
///
/// # Errors
/// The value's `Serialize` failed, or its map keys are not strings.
pub fn encode_ok<T: Serialize + ?Sized>(value: &T) -> Result<Arc<[u8]>> {
    let (envelope, _) = encode_ok_noticing(value)?;
    Ok(envelope)
}

/// The envelope of `()`.
pub(crate) fn encode_nothing() -> Arc<[u8]> {
    encode_ok(&()).expect("`()` can be written as JSON")
}

/// Writes a result, and tells what of it JSON could not hold.
pub(crate) fn encode_ok_noticing<T: Serialize + ?Sized>(value: &T) -> Result<(Arc<[u8]>, Lost)> {
    // Each thread keeps the buffer of its last value; a value that writes another one in between has its own.
    let mut bytes = BUFFER.take();
    bytes.clear();
    bytes.extend_from_slice(OK_PREFIX);
    let lost = write_json(&mut bytes, value).map_err(|error| {
        Error::new(ErrorKind::Codec, "the value cannot be written as JSON").with_source(error)
    })?;
    bytes.push(b'}');
    let envelope = Arc::from(bytes.as_slice());
    if bytes.capacity() <= MOST_KEPT {
        BUFFER.set(bytes);
    }
    Ok((envelope, lost))
}

/// Writes a value, and tells what of it JSON could not hold.
pub(crate) fn write_json<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
) -> serde_json::Result<Lost> {
    let seen = Seen::default();
    value.serialize(Noticing::new(
        &mut serde_json::Serializer::new(bytes),
        &seen,
    ))?;
    Ok(seen.lost())
}

/// Writes a failure.
pub fn encode_err(failure: &Failure) -> Arc<[u8]> {
    #[derive(Serialize)]
    struct Out<'a> {
        v: u32,
        err: &'a Failure,
    }
    let out = Out {
        v: VERSION,
        err: failure,
    };
    // A failure is strings only, which always can be written.
    serde_json::to_vec(&out).unwrap_or_default().into()
}

/// The failure as an envelope.
pub(crate) fn envelope(error: &Error) -> Arc<[u8]> {
    encode_err(&Failure::of(error))
}

/// Reads an envelope whose result is of type `T`.
///
/// # Errors
/// The bytes are no envelope, its version is not known, or the result does not fit `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Decoded<T>> {
    // Our own writing, the usual case, needs one parse; another spacing or order takes the long way.
    if let Some(value) = bytes
        .strip_prefix(OK_PREFIX)
        .and_then(|rest| rest.strip_suffix(b"}"))
    {
        return value_of(value).map(Decoded::Ok);
    }
    match raw(bytes)? {
        Decoded::Ok(value) => value_of(value.get().as_bytes()).map(Decoded::Ok),
        Decoded::Err(failure) => Ok(Decoded::Err(failure)),
    }
}

/// Reads an envelope without looking into its result.
///
/// # Errors
/// The bytes are no envelope, or its version is not known.
pub fn raw(bytes: &[u8]) -> Result<Decoded<&RawValue>> {
    if let Some(key) = sealed::key_of(bytes) {
        return Err(sealed::error(key));
    }
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::Codec, "a recorded value is not an envelope").with_source(error)
    })?;
    if envelope.v != VERSION {
        return Err(Error::new(
            ErrorKind::Codec,
            format!(
                "a recorded value has format version {}, and this belts reads version {VERSION}",
                envelope.v
            ),
        ));
    }
    match (envelope.ok, envelope.err) {
        (_, Some(failure)) => Ok(Decoded::Err(failure)),
        (Some(value), None) => Ok(Decoded::Ok(value)),
        // serde reads `"ok":null` into `None`.
        (None, None) => Ok(Decoded::Ok(RawValue::NULL)),
    }
}

fn value_of<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| Error::new(ErrorKind::Codec, misfit(&error)))
}

/// Reads JSON; where it does not fit, a second reading finds the path to the field, and the error is ` at `path`: why`.
pub(crate) fn read_at_path<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Err(error) => format!(" at `{}`", error.path()),
            Ok(_) => String::new(),
        };
        format!("{path}: {}", misfit(&error))
    })
}

/// What serde says of the type that JSON does not fit, without what it quotes of the value: that may be a secret.
pub(crate) fn misfit(error: &serde_json::Error) -> String {
    expectation(&error.to_string()).unwrap_or_else(|| "it does not fit".to_owned())
}

fn expectation(text: &str) -> Option<String> {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    if text.starts_with("missing field ") || text.starts_with("duplicate field ") {
        return Some(text.to_owned());
    }
    text.rsplit_once(", expected ")
        .map(|(_, expected)| format!("expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::expectation;

    #[test]
    fn what_a_type_expects_is_told_and_what_came_is_not() {
        let cases = [
            (
                "invalid type: string \"4111, expected 1\", expected u64 at line 1 column 9",
                Some("expected u64"),
            ),
            (
                "missing field `cents` at line 1 column 2",
                Some("missing field `cents`"),
            ),
            (
                "unknown variant `secret`, expected one of `a`, `b`",
                Some("expected one of `a`, `b`"),
            ),
            ("secret", None),
        ];
        for (text, told) in cases {
            assert_eq!(expectation(text).as_deref(), told, "{text}");
        }
    }
}
