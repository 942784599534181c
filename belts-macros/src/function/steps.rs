//! `#[belts::steps]`: a helper that may contain steps takes the scope as a hidden last argument.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{FnArg, Ident};

use super::{
    check,
    expand::{arm_keys, key_def, with_scope},
    fallback,
    instrument::skipping,
    mark::{Marked, mark},
    model::check_qualifiers,
    parse::Item,
    take_ours,
};
use crate::{
    diag::Errors,
    names::{self, Krate, Runtime, at_site, unraw},
    option::{Given, STEPS},
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
        let entry = entry(&sig.ident, &mark(body.stream(), &krate), &krate);
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

/// What link-time registration collects of a helper that has keys of its own.
fn entry(name: &Ident, marked: &Marked, krate: &Krate) -> TokenStream {
    let Marked {
        keys,
        arms,
        helpers,
        ..
    } = marked;
    if keys.is_empty() {
        return TokenStream::new();
    }
    let at = name.span();
    let names = krate.at(at);
    let (location, name) = (names.here(at), unraw(name));
    let keys = keys.iter().map(|key| key_def(key, &names));
    let arms = arm_keys(arms, &names);
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
                    arms: &[#(#arms),*],
                    helpers: &[#(#helpers),*],
                    location: #location,
                    package: ::core::env!("CARGO_PKG_NAME"),
                }
            }
        };
    }
}
