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
        let end = shown.floor_char_boundary(most);
        self.left -= end;
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
            let end = line.floor_char_boundary(left.min(line.len()));
            is_cut = end < line.len() || shown.len() == MOST_LINES;
            if shown.len() < MOST_LINES {
                left -= end;
                self.left -= end;
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
