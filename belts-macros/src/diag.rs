//! Collects mistakes, and suggests words for unknown ones.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// All mistakes of one macro call, so that the user sees them at once.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// Points at all tokens of `at`.
    pub(crate) fn at(&mut self, at: impl ToTokens, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new_spanned(at, message));
    }

    pub(crate) fn push(&mut self, span: Span, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new(span, message));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mistakes as `compile_error!`s, valid in place of items or statements.
    pub(crate) fn drain(&mut self) -> TokenStream {
        self.0
            .drain(..)
            .map(|error| error.to_compile_error())
            .collect()
    }
}

/// Answers an unknown word: the nearest known one, if any is close, and the whole list.
pub(crate) fn suggest(word: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::levenshtein(word, name), *name))
        .min();
    let list = quoted(known);
    let near =
        |far: usize, name: &str| far <= 1.max(word.chars().count() / 3) || same_start(word, name);
    match nearest {
        Some((far, name)) if near(far, name) => {
            format!("did you mean `{name}`? Known here: {list}")
        }
        _ => format!("known here: {list}"),
    }
}

/// "`a`, `b`, `c`".
pub(crate) fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `retry` and `retries`: three letters or more in common.
fn same_start(a: &str, b: &str) -> bool {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested() {
        let known = ["retries", "backoff", "timeout"];
        assert_eq!(
            suggest("retry", &known),
            "did you mean `retries`? Known here: `retries`, `backoff`, `timeout`"
        );
        assert!(suggest("retires", &known).starts_with("did you mean `retries`?"));
        assert!(suggest("timout", &known).starts_with("did you mean `timeout`?"));
        assert!(suggest("colour", &known).starts_with("known here"));
    }
}
