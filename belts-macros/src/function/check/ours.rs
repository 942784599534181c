//! Which macros of a body are ours.

use proc_macro2::{TokenStream, TokenTree};
use syn::Path;

use super::super::mark::own_macros;
use crate::{
    names::{Krate, spelled},
    step::Macro,
};

/// What tells our macros from others of the same name.
pub(super) struct Ours<'a> {
    krate: &'a Krate,
    /// Macros that the body defines.
    own: Vec<String>,
}

impl<'a> Ours<'a> {
    pub(super) fn of_body(body: &TokenStream, krate: &'a Krate) -> Self {
        let own = own_macros(body);
        Self { krate, own }
    }

    /// Belts as a person writes it.
    pub(super) fn krate(&self) -> String {
        let path = spelled(self.krate.tokens());
        path.trim_start_matches("::").to_owned()
    }

    /// Whether a path names `volatile!`.
    pub(super) fn is_volatile(&self, path: &Path) -> bool {
        let mut segments = path.segments.iter().rev();
        let named = segments.next().is_some_and(|last| last.ident == "volatile");
        let ours = segments
            .next()
            .is_none_or(|root| root.ident == "belts" || self.krate.is_named(&root.ident));
        named && ours && !self.is_own(path)
    }

    /// Whether the body itself defines the macro.
    pub(super) fn is_own(&self, path: &Path) -> bool {
        let name = path.get_ident();
        name.is_some_and(|name| self.own.iter().any(|own| name == own))
    }

    /// Which of our macros a path names, if any.
    pub(super) fn of(&self, path: &Path) -> Option<Macro> {
        let mut segments = path.segments.iter().rev();
        let which = Macro::from_name(&segments.next()?.ident.to_string())?;
        match segments.next() {
            Some(root) if root.ident != "belts" && !self.krate.is_named(&root.ident) => None,
            _ if self.is_own(path) => None,
            _ => Some(which),
        }
    }

    /// The first of our macros in some tokens.
    pub(super) fn first_in(&self, tokens: TokenStream) -> Option<Macro> {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        tokens.iter().enumerate().find_map(|(at, token)| {
            let TokenTree::Group(group) = token else {
                return None;
            };
            let called = match &tokens[..at] {
                [
                    ..,
                    TokenTree::Ident(root),
                    TokenTree::Punct(colon),
                    TokenTree::Punct(_),
                    TokenTree::Ident(name),
                    TokenTree::Punct(bang),
                ] if colon.as_char() == ':' && bang.as_char() == '!' => {
                    self.of(&syn::parse_quote!(#root::#name))
                }
                [.., TokenTree::Ident(name), TokenTree::Punct(bang)] if bang.as_char() == '!' => {
                    self.of(&Path::from(name.clone()))
                }
                _ => None,
            };
            called.or_else(|| self.first_in(group.stream()))
        })
    }
}
