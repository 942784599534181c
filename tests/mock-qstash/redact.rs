//! What of a message the API shows only as a hash.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// `Upstash-Redact-Fields`: the destination still gets the real values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redact {
    /// The body is not shown.
    pub body: bool,
    /// No header is shown.
    pub headers: bool,
    /// These headers are not shown; lower case.
    pub named: Vec<String>,
}

impl Redact {
    /// The SDKs write `header` for all of them, where the documentation has `headers`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut redact = Self::default();
        for field in text.split(',').map(str::trim) {
            let name = field
                .strip_prefix("header[")
                .and_then(|rest| rest.strip_suffix(']'));
            match (field, name) {
                ("body", _) => redact.body = true,
                ("header" | "headers", _) => redact.headers = true,
                (_, Some(name)) => redact.named.push(name.to_ascii_lowercase()),
                _ => {
                    return Err(format!(
                        "Upstash-Redact-Fields has an unknown field: {field}"
                    ));
                }
            }
        }
        Ok(redact)
    }

    pub(crate) fn hides(&self, header: &str) -> bool {
        self.headers
            || self
                .named
                .iter()
                .any(|name| name.eq_ignore_ascii_case(header))
    }
}

/// What is shown in place of a value.
pub(crate) fn redacted(value: &[u8]) -> String {
    let mut text = "REDACTED:".to_owned();
    for byte in Sha256::digest(value) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
