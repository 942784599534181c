//! Where a marked macro stands, and what its expansion names.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::Expr;

use super::marked::Mark;
use crate::names::Runtime;

/// What all the macros share.
pub(super) struct Site<'a> {
    pub(super) mark: &'a Mark,
    pub(super) here: Span,
    pub(super) key: TokenStream,
    pub(super) location: TokenStream,
    pub(super) names: Runtime,
}

/// The locations of the first and the last token; a group counts as its brackets.
pub(super) fn ends(expr: &Expr) -> (Span, Span) {
    let mut tokens = expr.to_token_stream().into_iter();
    let first = tokens.next();
    let last = tokens.last().or_else(|| first.clone());
    let open = first.map_or_else(Span::call_site, |token| match token {
        TokenTree::Group(group) => group.span_open(),
        other => other.span(),
    });
    let close = last.map_or_else(Span::call_site, |token| match token {
        TokenTree::Group(group) => group.span_close(),
        other => other.span(),
    });
    (open, close)
}
