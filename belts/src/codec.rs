//! The one module that turns values into bytes: JSON in a versioned envelope.
//!
//! A result is `{"v":1,"ok":<value>}`, a failure `{"v":1,"err":{…}}`. The envelope makes every value a result,
//! `null`, `false`, `0`, `""` and `()` among them.

use std::{cell::Cell, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
pub use crate::failure::Failure;

const VERSION: u32 = 1;
const OK_PREFIX: &[u8] = b"{\"v\":1,\"ok\":";

/// The largest buffer, in bytes, that a thread keeps.
const MOST_KEPT: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What an envelope holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
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
    // Each thread keeps the buffer of its last value; a value that writes another one in between has its own.
    let mut bytes = BUFFER.take();
    bytes.clear();
    bytes.extend_from_slice(OK_PREFIX);
    serde_json::to_writer(&mut bytes, value).map_err(|error| {
        Error::new(ErrorKind::Codec, "the value cannot be written as JSON").with_source(error)
    })?;
    bytes.push(b'}');
    let envelope = Arc::from(bytes.as_slice());
    if bytes.capacity() <= MOST_KEPT {
        BUFFER.set(bytes);
    }
    Ok(envelope)
}

/// Writes a failure.
pub fn encode_err(failure: &Failure) -> Arc<[u8]> {
    #[derive(Serialize)]
    struct Out<'a> {
        v: u32,
        err: &'a Failure,
    }
    serde_json::to_vec(&Out {
        v: VERSION,
        err: failure,
    })
    .expect("a failure is strings only")
    .into()
}

/// Reads an envelope whose result is of type `T`.
///
/// # Errors
/// The bytes are no envelope, its version is not known, or the result does not fit `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Outcome<T>> {
    // Our own writing, the usual case, needs one parse; another spacing or order takes the long way.
    if let Some(value) = bytes
        .strip_prefix(OK_PREFIX)
        .and_then(|rest| rest.strip_suffix(b"}"))
    {
        return value_of(value).map(Outcome::Ok);
    }
    match raw(bytes)? {
        Outcome::Ok(value) => value_of(value.get().as_bytes()).map(Outcome::Ok),
        Outcome::Err(failure) => Ok(Outcome::Err(failure)),
    }
}

/// Reads an envelope without looking into its result.
///
/// # Errors
/// The bytes are no envelope, or its version is not known.
pub fn raw(bytes: &[u8]) -> Result<Outcome<&RawValue>> {
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
        (_, Some(failure)) => Ok(Outcome::Err(failure)),
        (Some(value), None) => Ok(Outcome::Ok(value)),
        // serde reads `"ok":null` into `None`.
        (None, None) => Ok(Outcome::Ok(RawValue::NULL)),
    }
}

fn value_of<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| {
        Error::new(ErrorKind::Codec, "the recorded value does not fit the type").with_source(error)
    })
}
