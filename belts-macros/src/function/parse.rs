//! The item under an attribute: its signature is read, its body kept as tokens.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{
    Attribute, Signature, Token, Visibility,
    parse::{Parse, ParseStream},
};

/// An fn whose body may be half-typed.
pub(crate) struct Item {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// `None` for a method that a trait only declares.
    pub(crate) body: Option<Group>,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        if input.parse::<Option<Token![;]>>()?.is_some() {
            return Ok(Self {
                attrs,
                vis,
                sig,
                body: None,
            });
        }
        let body = braces(input.parse()?)?;
        Ok(Self {
            attrs,
            vis,
            sig,
            body: Some(body),
        })
    }
}

/// The body, without the invisible brackets around a `$body:block` of `macro_rules!`.
fn braces(token: TokenTree) -> syn::Result<Group> {
    match token {
        TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => Ok(body),
        TokenTree::Group(wrapped) if wrapped.delimiter() == Delimiter::None => {
            let mut inside = wrapped.stream().into_iter();
            match (inside.next(), inside.next()) {
                (Some(only), None) => braces(only),
                _ => Err(syn::Error::new(
                    wrapped.span(),
                    "expected the body of the fn",
                )),
            }
        }
        other => Err(syn::Error::new(other.span(), "expected the body of the fn")),
    }
}

impl Item {
    pub(crate) fn body(&self) -> TokenStream {
        self.body.as_ref().map(Group::stream).unwrap_or_default()
    }
}

/// The inner attributes that a body may begin with, and the rest.
pub(crate) fn split_inner_attributes(body: TokenStream) -> (TokenStream, TokenStream) {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let mut at = 0;
    while let Some(
        [
            TokenTree::Punct(hash),
            TokenTree::Punct(bang),
            TokenTree::Group(group),
        ],
    ) = tokens.get(at..at + 3)
        && hash.as_char() == '#'
        && bang.as_char() == '!'
        && group.delimiter() == Delimiter::Bracket
    {
        at += 3;
    }
    let rest = tokens[at..].iter().cloned().collect();
    (tokens.into_iter().take(at).collect(), rest)
}

/// Whether the tokens look like an fn, so that rustc can report better what is wrong with it.
pub(crate) fn looks_like_fn(item: &TokenStream) -> bool {
    item.clone()
        .into_iter()
        .any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"))
}
