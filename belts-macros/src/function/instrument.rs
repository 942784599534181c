//! `#[tracing::instrument]` records the arguments of an fn; the hidden one is not the user's.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, MacroDelimiter, Meta, MetaList, Path, Token, parse::Parser as _,
    punctuated::Punctuated, token::Paren,
};

use crate::names::SCOPE;

/// The attributes of the fn; an `instrument` among them skips the hidden argument.
pub(super) fn skipping(attrs: &[Attribute]) -> Vec<Attribute> {
    let mut attrs = attrs.to_vec();
    for attr in &mut attrs {
        skip(&mut attr.meta);
    }
    attrs
}

fn skip(meta: &mut Meta) {
    if meta.path().is_ident("cfg_attr") {
        if let Meta::List(list) = meta {
            within_cfg(list);
        }
    } else if is_instrument(meta.path()) {
        let given = match meta {
            Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        };
        if let Some(arguments) = with_skip(given) {
            *meta = Meta::List(MetaList {
                path: meta.path().clone(),
                delimiter: MacroDelimiter::Paren(Paren::default()),
                tokens: arguments,
            });
        }
    }
}

fn is_instrument(path: &Path) -> bool {
    path.segments
        .last()
        .is_some_and(|last| last.ident == "instrument")
}

/// `cfg_attr(feature = "trace", tracing::instrument)`.
fn within_cfg(list: &mut MetaList) {
    let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
    if let Ok(mut metas) = parser.parse2(list.tokens.clone()) {
        metas.iter_mut().skip(1).for_each(skip);
        list.tokens = quote!(#metas);
    }
}

/// The arguments of `instrument` with one more to skip; `None` if all are skipped, or if they are not understood.
fn with_skip(given: TokenStream) -> Option<TokenStream> {
    let hidden = syn::Ident::new(SCOPE, proc_macro2::Span::mixed_site());
    let mut found = false;
    let mut arguments = Vec::new();
    for argument in split(given) {
        let word = argument.clone().into_iter().next()?.to_string();
        match word.as_str() {
            "skip_all" => return None,
            "skip" => {
                let list: MetaList = syn::parse2(argument).ok()?;
                let names: Vec<TokenStream> = split(list.tokens);
                arguments.push(quote!(skip(#(#names,)* #hidden)));
                found = true;
            }
            _ => arguments.push(argument),
        }
    }
    if !found {
        arguments.push(quote!(skip(#hidden)));
    }
    Some(quote!(#(#arguments),*))
}

/// What is between the commas; nothing in the result is empty.
fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (proc_macro2::TokenTree::Punct(comma), _) if comma.as_char() == ',' => {
                parts.push(TokenStream::new());
            }
            (_, Some(part)) => part.extend([token]),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;

    use super::*;

    #[test]
    fn every_form_of_instrument_skips_the_hidden_argument() {
        let forms: [(Attribute, &str); 7] = [
            (
                syn::parse_quote!(#[tracing::instrument]),
                "# [tracing :: instrument (skip (__belts_scope))]",
            ),
            (
                syn::parse_quote!(#[instrument(level = "debug", fields(a = 1, b))]),
                "# [instrument (level = \"debug\" , fields (a = 1 , b) , skip (__belts_scope))]",
            ),
            (
                syn::parse_quote!(#[instrument(skip(self, db), err)]),
                "# [instrument (skip (self , db , __belts_scope) , err)]",
            ),
            (
                syn::parse_quote!(#[instrument(skip_all, err)]),
                "# [instrument (skip_all , err)]",
            ),
            (
                syn::parse_quote!(#[cfg_attr(feature = "trace", instrument)]),
                "# [cfg_attr (feature = \"trace\" , instrument (skip (__belts_scope)))]",
            ),
            (
                syn::parse_quote!(#[instrument("name",)]),
                "# [instrument (\"name\" , skip (__belts_scope))]",
            ),
            (syn::parse_quote!(#[inline]), "# [inline]"),
        ];
        for (attr, wanted) in forms {
            let skipped = skipping(&[attr]);
            assert_eq!(skipped[0].to_token_stream().to_string(), wanted);
        }
    }
}
