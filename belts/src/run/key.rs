//! Paths: a step's key under the keys of its scopes, as one string that keeps the parts apart.
//!
//! The parts are joined by `/` with `~` and `/` in a part written `~0` and `~1`, as in JSON Pointer (RFC 6901),
//! so two paths are equal exactly if their parts are.

use std::sync::Arc;

/// The path of `key` under `scope`.
pub(crate) fn join(scope: Option<&str>, key: &str) -> Arc<str> {
    match scope {
        None if !needs_escape(key) => Arc::from(key),
        None => Arc::from(escape(key)),
        Some(scope) if !needs_escape(key) => Arc::from(format!("{scope}/{key}")),
        Some(scope) => Arc::from(format!("{scope}/{}", escape(key))),
    }
}

/// Where the value is kept that the function shows. No key makes such a path: in one, `0` or `1` follows each `~`.
pub(crate) const STATUS: &str = "~status";

/// Whether a path is one of a key in this scope, or in a scope of it.
pub(crate) fn is_under(path: &str, scope: &str) -> bool {
    let rest = path.strip_prefix(scope);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

fn needs_escape(key: &str) -> bool {
    key.bytes().any(|byte| byte == b'~' || byte == b'/')
}

pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_compared_and_not_the_joined_text() {
        assert_eq!(&*join(None, "charge"), "charge");
        assert_eq!(&*join(Some("parcel-1"), "label"), "parcel-1/label");
        assert_ne!(join(Some("a"), "b"), join(None, "a/b"));
        assert_ne!(join(Some("a/b"), "c"), join(Some(&join(None, "a/b")), "c"));
        assert_eq!(&*join(None, "~/"), "~0~1");
    }

    #[test]
    fn a_path_is_under_its_scopes_alone() {
        assert!(is_under("race/a/b", "race") && is_under("race/a/b", "race/a"));
        assert!(!is_under("race", "race") && !is_under("racer/a", "race"));
        assert!(!is_under(&join(None, "race/a"), "race"));
    }
}
