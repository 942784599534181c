//! Text as Postgres takes it: without the character NUL, which names may have and Postgres may not.
//!
//! NUL becomes U+0001 `0`, and U+0001 itself becomes U+0001 `1`. Every other text stands in the tables as it is.

use std::{borrow::Cow, sync::Arc};

const ESCAPE: char = '\u{1}';

/// Text as it is written to a column.
pub(super) fn to_column(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte <= 1) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 4);
    for character in text.chars() {
        match character {
            '\0' => escaped.extend([ESCAPE, '0']),
            ESCAPE => escaped.extend([ESCAPE, '1']),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// Text as it was before [`to_column`].
pub(super) fn from_column(column: &str) -> Arc<str> {
    if !column.bytes().any(|byte| byte == 1) {
        return Arc::from(column);
    }
    let mut text = String::with_capacity(column.len());
    let mut characters = column.chars();
    while let Some(character) = characters.next() {
        text.push(match (character, character == ESCAPE) {
            (_, true) if characters.next() == Some('0') => '\0',
            (character, _) => character,
        });
    }
    Arc::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in [
            "",
            "a",
            "\0",
            "\u{1}",
            "\u{1}0",
            "\0\u{1}\0",
            "a\0b\u{1}1c",
            "🦀\0💤",
        ] {
            let column = to_column(text);
            assert!(!column.contains('\0'), "{text:?}");
            assert_eq!(*from_column(&column), *text);
        }
    }

    #[test]
    fn different_texts_stay_different() {
        assert_ne!(to_column("\0"), to_column("\u{1}0"));
        assert_ne!(to_column("\u{1}"), to_column("\u{1}1"));
    }
}
