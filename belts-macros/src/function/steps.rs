//! `#[belts::steps]`: a helper that may contain steps takes the scope as a hidden last argument.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::FnArg;

use super::{
    check, expand::with_scope, fallback, instrument::skipping, model::check_qualifiers,
    parse::Item, take_ours,
};
use crate::{
    diag::Errors,
    names::{self, at_site},
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
        let inside = with_scope(body.stream(), &lend, &krate).body;
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
