//! How an encrypted value is told from others: `{"belts.sealed":1,"key":"2026-11","data":"…"}`. Every build knows it, so that one
//! without keys leaves such a value alone and can say which key it lacks.

use crate::{
    error::{Error, ErrorKind},
    store::{Arrival, ClaimedRun, Entry},
};

/// How every encrypted value begins.
pub(crate) const BEGIN: &[u8] = b"{\"belts.sealed\":1,\"key\":\"";

/// The longest id of a key, in bytes.
pub(crate) const MAX_KEY_ID: usize = 32;

/// What is told of a key whose id cannot be read.
const UNKNOWN: &str = "?";

/// The id of the key that a value is sealed with; `None` of one that is not sealed.
pub(crate) fn key_of(value: &[u8]) -> Option<&str> {
    let Some(rest) = value.strip_prefix(BEGIN) else {
        // The beginning of one, of which the rest is lost.
        let is_cut = !value.is_empty() && BEGIN.starts_with(value);
        return is_cut.then_some(UNKNOWN);
    };
    let id = rest.split(|byte| *byte == b'"').next().unwrap_or_default();
    let id = std::str::from_utf8(id).ok().filter(|id| is_key_id(id));
    Some(id.unwrap_or(UNKNOWN))
}

/// Whether a key may have this id.
pub(crate) fn is_key_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=MAX_KEY_ID).contains(&id.len()) && id.bytes().all(fits)
}

/// What is shown in place of a sealed value.
pub(crate) fn shown(key: &str) -> String {
    format!("sealed with key {key}")
}

/// The error of a value that this process cannot open. Another one may, so it is an outcome of nothing.
pub(crate) fn error(key: &str) -> Error {
    Error::new(
        ErrorKind::Store,
        format!(
            "a stored value is {}, with which this process cannot open it",
            shown(key)
        ),
    )
}

/// A value of a run that is sealed still.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed<'a> {
    pub(crate) key: &'a str,
    /// Which one it is, for people.
    pub(crate) what: &'a str,
}

impl<'a> Closed<'a> {
    /// The first of a run that was claimed.
    pub(crate) fn in_run(run: &'a ClaimedRun) -> Option<Self> {
        let event = (&*run.payload, "the event");
        let undoing = run.undoing.as_ref();
        let end = undoing.and_then(|undoing| undoing.error.as_deref());
        let end = end.map(|error| (error, "why it ends"));
        let steps = run.journal.iter().map(Self::part);
        let mut parts = std::iter::once(event).chain(end).chain(steps);
        let first = parts.find_map(|(value, what)| {
            Some(Self {
                key: key_of(value)?,
                what,
            })
        });
        first.or_else(|| Self::in_arrivals(&run.arrivals))
    }

    /// The first of what has arrived for a run.
    pub(crate) fn in_arrivals(arrivals: &'a [Arrival]) -> Option<Self> {
        arrivals.iter().find_map(|arrival| {
            let key = in_event(&arrival.payload)?;
            let what = "an event that it waits for";
            Some(Self { key, what })
        })
    }

    fn part(entry: &Entry) -> (&[u8], &str) {
        (&entry.value, &entry.path)
    }
}

/// As [`key_of`], also of a sealed result in what tells of the end of a run.
pub(crate) fn in_event(payload: &[u8]) -> Option<&str> {
    key_of(payload).or_else(|| key_of(told(payload)?))
}

/// What is told of the end of a run begins so, up to its status and its result.
const TOLD: &[u8] = b"{\"status\":\"";

fn told(payload: &[u8]) -> Option<&[u8]> {
    let rest = payload.strip_prefix(TOLD)?;
    let status = rest.iter().position(|byte| *byte == b'"')?;
    let result = rest[status..].strip_prefix(b"\",\"result\":")?;
    // A user's own event may begin so, but not with this behind.
    result.starts_with(BEGIN).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_names_its_key() {
        let sealed = br#"{"belts.sealed":1,"key":"2026-11","data":"AAAA"}"#;
        assert_eq!(key_of(sealed), Some("2026-11"));
        assert_eq!(
            in_event(&[br#"{"status":"failed","result":"#, &sealed[..], b"}"].concat()),
            Some("2026-11")
        );
        for cut in 1..=BEGIN.len() {
            assert_eq!(key_of(&sealed[..cut]), Some(UNKNOWN), "{cut}");
        }
        let hostile = b"{\"belts.sealed\":1,\"key\":\"\x1b[31m\",\"data\":\"\"}";
        assert_eq!(key_of(hostile), Some(UNKNOWN));
    }

    #[test]
    fn other_values_are_not_sealed() {
        for plain in [
            &b""[..],
            b"{}",
            br#"{"v":1,"ok":3}"#,
            b"null",
            br#"{"status":"on","result":3}"#,
        ] {
            assert_eq!(in_event(plain), None);
        }
    }
}
