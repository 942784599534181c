//! Errors of others, as far as they can be shown: their texts and the chain of their sources.

use std::{
    error::Error as StdError,
    fmt::{self, Write as _},
    iter::successors,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::caught::{panicked, quiet};

/// The most links of a chain of errors that are looked at; a `source` that returns its own error has no end.
pub(crate) const MOST_LINKS: usize = 100;

/// The most bytes of one text of an error that are kept.
pub(super) const MOST_TEXT: usize = 16 * 1024;

/// The text of what a user wrote a `Display` for, whatever that does.
pub(crate) fn text(shown: &dyn fmt::Display, alternate: bool) -> String {
    let mut out = Bounded::default();
    let written = catch_unwind(AssertUnwindSafe(|| {
        let written = if alternate {
            write!(out, "{shown:#}")
        } else {
            write!(out, "{shown}")
        };
        written.is_ok()
    }));
    let Bounded { mut text, full } = out;
    match written {
        Ok(true) => {}
        _ if full => text.push_str(" … (cut off)"),
        Ok(false) => note(&mut text, "its `Display` failed"),
        Err(payload) => note(&mut text, &panicked("its `Display`", payload)),
    }
    text
}

fn note(text: &mut String, what: &str) {
    if text.is_empty() {
        text.push_str("an error without a text");
    }
    text.push_str(" (");
    text.push_str(what);
    text.push(')');
}

/// A text of limited length.
#[derive(Default)]
struct Bounded {
    text: String,
    full: bool,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MOST_TEXT - self.text.len();
        if more.len() <= room && !self.full {
            self.text.push_str(more);
            return Ok(());
        }
        if !self.full {
            self.full = true;
            self.text.push_str(beginning(more, room));
        }
        Err(fmt::Error)
    }
}

/// As much of the text as fits into so many bytes.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// An error and its sources, outermost first.
pub(crate) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |error| source(*error)).take(MOST_LINKS)
}

/// The source of an error; none where asking for it panics.
pub(crate) fn source<'a>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a (dyn StdError + 'static)> {
    quiet(|| error.source()).flatten()
}
