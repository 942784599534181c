//! After a mistake: the user's fn as it stands, so that editors and rustc go on with it, and then the mistakes.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};

use super::{mark::mark, parse::Item};
use crate::{
    diag::Errors,
    names::{self, Krate, at_site},
};

/// The fn with a scope that is never there, since nothing of this is run.
pub(crate) fn with_errors(item: &Item, krate: &Krate, errors: &mut Errors) -> TokenStream {
    let Item {
        attrs,
        vis,
        sig,
        body,
    } = item;
    let mut sig = sig.clone();
    // Awaits in the body are no second mistake.
    sig.asyncness = sig
        .asyncness
        .or_else(|| Some(syn::token::Async(sig.fn_token.span)));
    let errors = errors.drain();
    let Some(body) = body else {
        return quote!(#(#attrs)* #vis #sig; #errors);
    };
    let at = sig.ident.span();
    let (scope, cx) = (krate.at(at).scope, names::cx(at));
    let absent = quote_spanned! {at_site(at)=>
        let #cx: &#scope = ::core::option::Option::None.expect("only a function without mistakes has a scope");
    };
    let mut inside = absent;
    inside.extend(mark(body.stream(), krate));
    let mut block = proc_macro2::Group::new(proc_macro2::Delimiter::Brace, inside);
    block.set_span(body.span());
    quote! {
        #(#attrs)*
        #[allow(dead_code, unused_variables)]
        #vis #sig #block
        #errors
    }
}

/// For an item that is no fn.
pub(crate) fn not_a_fn(item: &TokenStream, attribute: &str, error: &syn::Error) -> TokenStream {
    if super::parse::looks_like_fn(item) {
        // rustc reads the same tokens next and says what is wrong.
        let error = error.to_compile_error();
        return quote!(#item #error);
    }
    let first = item
        .to_token_stream()
        .into_iter()
        .find(|token| matches!(token, proc_macro2::TokenTree::Ident(_)));
    let span = first.map_or_else(Span::call_site, |token| token.span());
    let message = format!("`#[belts::{attribute}]` goes on an `async fn`, and this is none");
    let error = syn::Error::new(span, message).to_compile_error();
    quote!(#item #error)
}
