//! The mark that an attribute puts before the arguments of a macro in its body.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use crate::names::{CX, Krate, NESTED};

/// What the attribute put before the arguments.
pub(crate) struct Mark {
    /// The hidden parameter.
    pub(crate) cx: Ident,
    pub(crate) krate: Krate,
    /// Whether the step is to be awaited where it stands.
    pub(crate) awaited: bool,
}

/// Why there is no mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmarked {
    Outside,
    NestedFn,
}

impl Mark {
    /// Removes the mark.
    pub(crate) fn split(input: TokenStream) -> Result<(Self, TokenStream), Unmarked> {
        let mut tokens = input.into_iter();
        match (tokens.next(), tokens.next()) {
            (Some(TokenTree::Ident(cx)), Some(TokenTree::Group(krate))) if cx == CX => {
                let mark = Self {
                    cx,
                    awaited: krate.delimiter() == Delimiter::Brace,
                    krate: Krate::new(krate.stream()),
                };
                Ok((mark, tokens.collect()))
            }
            (Some(TokenTree::Ident(nested)), _) if nested == NESTED => Err(Unmarked::NestedFn),
            _ => Err(Unmarked::Outside),
        }
    }
}
