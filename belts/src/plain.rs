//! Texts of others in one line: whatever in them steers a terminal, forges a line of a log or turns the order of what is read
//! is written out, as `\n` or `\u{1b}`.
//!
//! What a user's error says, what a peer answers and what a publisher named comes through here before it is logged or printed.
//! What is recorded or sent stays as it is.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

/// Whether a character does more than to be read: the control characters, both ranges of them, what ends a line or a paragraph,
/// and what turns the direction of writing.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A number with its thousands apart, such as `1,204`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The text with such characters written out.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(steers) {
        Cow::Owned(Clean(text).to_string())
    } else {
        Cow::Borrowed(text)
    }
}

/// Shows anything with such characters written out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clean<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Clean<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((before, c)) = rest
            .find(steers)
            .and_then(|at| Some((&rest[..at], rest[at..].chars().next()?)))
        {
            write!(self.0, "{before}{}", c.escape_default())?;
            rest = &rest[before.len() + c.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// JSON in one line that steers nothing, with the same meaning. Values that were kept as they came may have line breaks between
/// their tokens.
#[cfg(feature = "http")]
pub(crate) fn json_line(json: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(json) {
        Ok(json) if !json.contains(steers) => json.into_bytes(),
        Ok(json) => json_steering_nothing(&json).into_bytes(),
        // No JSON of ours is.
        Err(other) => other.into_bytes(),
    }
}

#[cfg(feature = "http")]
fn json_steering_nothing(json: &str) -> String {
    let mut line = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            // Within a string it would not be JSON, so it stands between tokens.
            '\u{0}'..='\u{1f}' => line.push(' '),
            // It can only stand within a string. All of these have four digits.
            c if steers(c) => {
                // Writing to a string does not fail.
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_written_out_and_the_rest_stays() {
        for (text, shown) in [
            (
                "card declined: Größe 尺寸 🚚",
                "card declined: Größe 尺寸 🚚",
            ),
            ("one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"),
            ("\x1b]0;owned\x07", "\\u{1b}]0;owned\\u{7}"),
            ("\u{9b}2J\u{85}\u{7f}", "\\u{9b}2J\\u{85}\\u{7f}"),
            ("a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c"),
            ("\u{202e}gpj.exe\u{2066}", "\\u{202e}gpj.exe\\u{2066}"),
        ] {
            assert_eq!(plain(text), shown);
            assert_eq!(Clean(text).to_string(), shown);
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn json_keeps_its_meaning_in_one_line() {
        let json = "{\r\n  \"a\": [1,\n\t2],\n  \"b\": \"x\u{7f}\u{9b}y\u{2028}\u{202e}\\n\"\n}";
        let line = String::from_utf8(json_line(json.into())).expect("it is text");
        assert!(!line.contains(steers), "{line:?}");
        let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
        assert_eq!(read(&line), read(json));
        let same = br#"{"a":"b"}"#.to_vec();
        assert_eq!(json_line(same.clone()), same);
    }
}
