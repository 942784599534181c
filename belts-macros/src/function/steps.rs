//! `#[belts::steps]`: a helper that may contain steps takes the scope as a hidden last argument.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{FnArg, Ident};

use super::{
    check,
    expand::{key_def, with_scope},
    fallback,
    instrument::skipping,
    mark::{KeyUse, Marked, mark},
    model::check_qualifiers,
    parse::Item,
    take_ours,
};
use crate::{
    diag::Errors,
    names::{self, Krate, Runtime, at_site, unraw},
    option::{Given, STEPS},
    step::Macro,
};

pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut parsed: Item = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return fallback::not_a_fn(item, "steps", &error),
    };
    let mut errors = Errors::default();
    let mut given = Given::parse(args, &STEPS, &mut errors);
    let krate = given.krate(&mut errors);
    take_ours(&mut parsed.attrs, "steps", &krate, &mut errors);
    check_qualifiers(&parsed.sig, "steps", &mut errors);
    check::check(&parsed.body(), &krate, &mut errors);
    let Item {
        attrs,
        vis,
        mut sig,
        body,
    } = parsed;
    let at = sig.ident.span();
    let (hidden, scope) = (names::scope(at), krate.at(at).helper_scope);
    // By value and last: a borrow would affect what `-> &str` borrows from, and `Shop::pack(&shop, n)` starts unchanged.
    let argument: TokenStream = quote_spanned!(at_site(at)=> #hidden: #scope);
    sig.inputs.push(FnArg::Typed(syn::parse_quote!(#argument)));
    sig.asyncness = sig
        .asyncness
        .or_else(|| Some(syn::token::Async(sig.fn_token.span)));
    let body = if let Some(body) = body {
        let cx = names::cx(at);
        let lend = if errors.is_empty() {
            quote_spanned!(at_site(at)=> let #cx = #scope::scope(&#hidden);)
        } else {
            fallback::absent(at, &krate)
        };
        let Marked { keys, helpers, .. } = mark(body.stream(), &krate);
        let entry = entry(&sig.ident, &keys, &helpers, &krate);
        let inside = with_scope(body.stream(), &quote!(#lend #entry), &krate).body;
        quote!({ #inside })
    } else {
        quote!(;)
    };
    let (attrs, errors) = (skipping(&attrs), errors.drain());
    quote! {
        #(#attrs)*
        #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value, clippy::used_underscore_binding)]
        #vis #sig #body
        #errors
    }
}

/// What link-time registration collects of a helper that has transactions, or that calls others which may have some.
fn entry(name: &Ident, keys: &[KeyUse], helpers: &[String], krate: &Krate) -> TokenStream {
    let has_transactions = keys.iter().any(|key| key.which == Macro::Transaction);
    if !has_transactions && helpers.is_empty() {
        return TokenStream::new();
    }
    let at = name.span();
    let names = krate.at(at);
    let (location, name) = (names.here(at), unraw(name));
    let keys = keys.iter().map(|key| key_def(key, &names));
    let Runtime {
        submit,
        helper_entry,
        ..
    } = &names;
    quote_spanned! {at_site(at)=>
        const _: () = {
            #submit! {
                #helper_entry {
                    name: #name,
                    keys: &[#(#keys),*],
                    helpers: &[#(#helpers),*],
                    location: #location,
                    package: ::core::env!("CARGO_PKG_NAME"),
                }
            }
        };
    }
}
