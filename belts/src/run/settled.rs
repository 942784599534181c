//! What a person says of a step of which nobody knows whether it has happened, and the key under which the run waits for that.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is so.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Settled {
    /// It has happened, and this came of it.
    Value(Box<RawValue>),
    /// It has not happened, or may happen again.
    Retry,
}

/// The key of the callback for the step of this key and `seq`, of which so many attempts were begun. A step that a rerun does anew has
/// another `seq`, so that what was said of the one before does not count for it.
pub(crate) fn settle_key(key: &str, seq: u32, times: u32) -> String {
    format!("settle:{key}#{seq}.{times}")
}

/// Whether a path is that of the callback for the step of this path and `seq`, of which so many attempts were begun.
pub(crate) fn is_settled_by(step: &str, seq: u32, callback: &str, times: u32) -> bool {
    match step.rsplit_once('/') {
        // Both are escaped already.
        Some((scope, key)) => callback == format!("{scope}/{}", settle_key(key, seq, times)),
        None => callback == settle_key(step, seq, times),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec, run::join};

    #[test]
    fn what_a_person_says_is_read_as_it_was_written() {
        let json = r#"{"value":{"id":340282366920938463463374607431768211455,"f":1.0}}"#;
        let settled: Settled = codec::read_at_path(json.as_bytes()).expect("it is JSON");
        assert_eq!(serde_json::to_string(&settled).expect("it is JSON"), json);
        let retry: Settled = codec::read_at_path(b"\"retry\"").expect("it is a word");
        assert!(matches!(retry, Settled::Retry));
    }

    #[test]
    fn each_time_has_a_key_of_its_own() {
        for (scope, key) in [
            (None, "charge"),
            (Some("parcel-1"), "a/b"),
            (Some("a/b"), "~x"),
        ] {
            for times in [1, 2, 11] {
                let step = join(scope, key);
                let callback = join(scope, &settle_key(key, 7, times));
                assert!(is_settled_by(&step, 7, &callback, times), "{callback}");
                assert!(!is_settled_by(&step, 7, &callback, times + 1));
                assert!(!is_settled_by(&step, 8, &callback, times));
                assert!(!is_settled_by(&step, 7, &step, times));
            }
        }
    }
}
