//! What an envelope carries beside its result or failure: `{"v":1,"progress":…,"ok":…}`. Versions that do not know it read past it.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{VERSION, write_json};
use crate::error::{Error, ErrorKind, Result};

/// How every envelope of ours begins.
const BEGIN: &[u8] = b"{\"v\":1,";

/// What is kept of the attempts of a step, where it matters whether one was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begins {
    /// How many were begun.
    pub(crate) times: u32,
    /// Whether nothing is known of how the last of them ended.
    pub(crate) open: bool,
}

#[derive(Default, Deserialize)]
struct Beside<'a> {
    #[serde(default, borrow, deserialize_with = "present")]
    progress: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    place: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    begins: Option<&'a RawValue>,
}

/// It may be `null`, which is not the same as nothing.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A value as JSON, as it is put beside or into an envelope. Nobody reads it back to see whether it is the same, so what JSON cannot
/// hold is an error.
pub(crate) fn to_raw<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>> {
    let wrong = |error| {
        Error::new(ErrorKind::Codec, "the value cannot be written as JSON").with_source(error)
    };
    let mut bytes = Vec::new();
    let lost = write_json(&mut bytes, value).map_err(wrong)?;
    if !lost.is_nothing() {
        let text = format!("the value would change when read back: {}", lost.reason());
        return Err(Error::new(ErrorKind::Codec, text));
    }
    serde_json::from_slice(&bytes).map_err(wrong)
}

/// A result that is there as JSON.
pub(crate) fn encode_json(value: &RawValue) -> Arc<[u8]> {
    format!("{{\"v\":{VERSION},\"ok\":{}}}", value.get())
        .into_bytes()
        .into()
}

/// An envelope of ours with the progress of a step in it; without an envelope, that alone.
pub(crate) fn with_progress(envelope: Option<&[u8]>, progress: &RawValue) -> Arc<[u8]> {
    with("progress", envelope, progress)
}

/// The progress that an envelope carries.
pub(crate) fn progress(envelope: &[u8]) -> Option<Box<RawValue>> {
    read(envelope).progress.map(ToOwned::to_owned)
}

/// An envelope of ours with what is known of the place in the function where its value was set.
pub(crate) fn with_place(envelope: &[u8], place: &impl Serialize) -> Result<Arc<[u8]>> {
    Ok(with("place", Some(envelope), &to_raw(place)?))
}

/// The place that an envelope carries.
pub(crate) fn place<T: for<'a> Deserialize<'a>>(envelope: &[u8]) -> Option<T> {
    serde_json::from_str(read(envelope).place?.get()).ok()
}

/// An envelope of ours, or nothing yet, with what is kept of the attempts of a step.
pub(crate) fn with_begins(envelope: &[u8], begins: Begins) -> Arc<[u8]> {
    match to_raw(&begins) {
        Ok(begins) => with("begins", Some(envelope), &begins),
        Err(_) => envelope.into(),
    }
}

/// What an envelope has kept of the attempts of a step.
pub(crate) fn begins(envelope: &[u8]) -> Option<Begins> {
    serde_json::from_str(read(envelope).begins?.get()).ok()
}

fn read(envelope: &[u8]) -> Beside<'_> {
    serde_json::from_slice(envelope).unwrap_or_default()
}

fn with(name: &str, envelope: Option<&[u8]>, json: &RawValue) -> Arc<[u8]> {
    let rest = envelope.and_then(|envelope| envelope.strip_prefix(BEGIN));
    let mut bytes = Vec::with_capacity(32 + json.get().len() + rest.map_or(0, <[u8]>::len));
    bytes.extend_from_slice(BEGIN);
    bytes.extend_from_slice(format!("\"{name}\":{}", json.get()).as_bytes());
    match rest {
        Some(rest) => {
            bytes.push(b',');
            bytes.extend_from_slice(rest);
        }
        None => bytes.push(b'}'),
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Decoded, Failure, decode, encode_err, encode_ok, raw};

    #[test]
    fn an_envelope_reads_the_same_with_something_beside() {
        let three = to_raw(&3).expect("a number");
        let result = with_progress(Some(&encode_ok("a}").expect("a text")), &three);
        assert_eq!(
            decode::<String>(&result).expect("an envelope"),
            Decoded::Ok("a}".to_owned())
        );
        let failure = Failure {
            kind: "failed".into(),
            message: "no".into(),
            sources: vec![],
            value: None,
        };
        let failed = with_progress(Some(&encode_err(&failure)), &three);
        assert!(matches!(raw(&failed), Ok(Decoded::Err(read)) if read == failure));
        for envelope in [result, failed, with_progress(None, &three)] {
            assert_eq!(progress(&envelope).expect("it is there").get(), "3");
        }
    }

    #[test]
    fn what_json_cannot_hold_is_refused() {
        for refused in [
            to_raw(&[f64::NAN]),
            to_raw(&f32::INFINITY),
            to_raw(&Some(())),
        ] {
            let error = refused.expect_err("it would be `null`");
            assert_eq!(error.kind(), ErrorKind::Codec);
        }
        for fine in [to_raw(&()), to_raw(&None::<u8>), to_raw(&Some(1.5))] {
            fine.expect("it is read back as it was");
        }
    }

    #[test]
    fn nothing_is_told_from_null() {
        let null = to_raw(&()).expect("nothing");
        assert_eq!(
            progress(&with_progress(None, &null))
                .expect("it is there")
                .get(),
            "null"
        );
        assert!(progress(&encode_json(&null)).is_none());
        assert!(progress(b"").is_none());
    }
}
