//! What a page has room for: so many steps, and so much of their values.

use maud::{Markup, html};
use serde_json::value::RawValue;

use super::{hidden::Hidden, json::written, words::marked};
use crate::codec::Failure;

/// The most steps of a page.
pub(super) const MOST_STEPS: usize = 200;
/// The most bytes of one value that a page shows, and of all.
const LONGEST_VALUE: usize = 16 * 1024;
const MOST_VALUES: usize = 400 * 1024;
/// The most lines of an error.
const MOST_LINES: usize = 60;

/// How many bytes a byte has in a page.
fn in_page(byte: u8) -> usize {
    match byte {
        b'"' => "&quot;".len(),
        b'&' => "&amp;".len(),
        b'<' | b'>' => "&lt;".len(),
        _ => 1,
    }
}

fn escaped(text: &str) -> usize {
    text.bytes().map(in_page).sum()
}

/// How many bytes of a text have no more than so many in a page.
fn fits(text: &str, most: usize) -> usize {
    let mut bytes = 0;
    let over = text.bytes().position(|byte| {
        bytes += in_page(byte);
        bytes > most
    });
    over.unwrap_or(text.len())
}

fn longer() -> Markup {
    html! { p.faint { "It is longer: ask for it as JSON, with " code { "accept: application/json" } "." } }
}

/// The room that is left.
pub(super) struct Room<'a> {
    hidden: &'a Hidden,
    left: usize,
}

impl<'a> Room<'a> {
    pub(super) fn new(hidden: &'a Hidden) -> Self {
        Self {
            hidden,
            left: MOST_VALUES,
        }
    }

    /// A value, cut to what there is room for.
    pub(super) fn json(&mut self, value: &RawValue) -> Markup {
        let most = LONGEST_VALUE.min(self.left);
        // What is hidden is so already; what is far too long need not be laid out as a whole.
        let text = value.get();
        let lines = text.len() <= 4 * LONGEST_VALUE;
        let text = &text[..text.floor_char_boundary(text.len().min(4 * LONGEST_VALUE))];
        let shown = written(text, self.hidden, lines);
        let end = shown.floor_char_boundary(fits(&shown, most));
        self.left = self.left.saturating_sub(escaped(&shown[..end]));
        html! {
            pre.json tabindex="0" { (shown[..end]) }
            @if end < shown.len() { (longer()) }
        }
    }

    /// An error, a source on each line, cut to what there is room for.
    pub(super) fn error(&mut self, failure: &Failure) -> Markup {
        let texts = std::iter::once(&failure.message).chain(&failure.sources);
        let lines = texts.enumerate().flat_map(|(place, text)| {
            let lines = text.lines();
            lines.map(move |line| (place > 0, line))
        });
        let (mut shown, mut is_cut) = (Vec::new(), false);
        let mut left = LONGEST_VALUE.min(self.left);
        for (is_source, line) in lines {
            let end = line.floor_char_boundary(fits(line, left));
            is_cut = end < line.len() || shown.len() == MOST_LINES;
            if shown.len() < MOST_LINES {
                let bytes = escaped(&line[..end]);
                left = left.saturating_sub(bytes);
                self.left = self.left.saturating_sub(bytes);
                shown.push((is_source, &line[..end]));
            }
            if is_cut {
                break;
            }
        }
        html! {
            div.error {
                @for (is_source, line) in shown { p.source[is_source] { (marked(line)) } }
                @if is_cut { (longer()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_room_for_what_a_text_is_in_it() {
        assert_eq!(escaped("a\"b&<"), 1 + 6 + 1 + 5 + 4);
        assert_eq!(fits("abc", 3), 3);
        assert_eq!(fits("a\"b", 6), 1);
        assert_eq!(fits("a\"b", 7), 2);
        let hidden = Hidden::default();
        let mut room = Room::new(&hidden);
        let quotes = serde_json::to_string(&"\"".repeat(10_000)).expect("a text");
        let value = RawValue::from_string(quotes).expect("JSON");
        let mut bytes = 0;
        for _ in 0..100 {
            bytes += room.json(&value).into_string().len();
        }
        assert!(bytes < MOST_VALUES + 100 * 300, "{bytes}");
    }
}
