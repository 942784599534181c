//! `#[belts::steps]`: a helper that may contain steps takes the scope as a hidden first argument.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::FnArg;

use super::{check, fallback, mark::mark, model::check_qualifiers, parse::Item};
use crate::{
    diag::Errors,
    names::{self, at_site},
    option::{Given, STEPS},
};

pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let parsed: Item = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return fallback::not_a_fn(item, "steps", &error),
    };
    let mut errors = Errors::default();
    let mut given = Given::parse(args, &STEPS, &mut errors);
    let krate = given.krate(&mut errors);
    check_qualifiers(&parsed.sig, "steps", &mut errors);
    check::check(&parsed.body(), &krate, &mut errors);
    let Item {
        attrs,
        vis,
        mut sig,
        body,
    } = parsed;
    let at = sig.ident.span();
    let (cx, scope) = (names::cx(at), krate.at(at).scope);
    let hidden: TokenStream = quote_spanned!(at_site(at)=> #cx: &#scope);
    let hidden = FnArg::Typed(syn::parse_quote!(#hidden));
    let after_self = usize::from(sig.receiver().is_some());
    sig.inputs.insert(after_self, hidden);
    sig.asyncness = sig
        .asyncness
        .or_else(|| Some(syn::token::Async(sig.fn_token.span)));
    let errors = errors.drain();
    let body = if let Some(body) = body {
        let inside = mark(body.stream(), &krate);
        quote!({ #inside })
    } else {
        quote!(;)
    };
    quote! {
        #(#attrs)*
        #[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
        #vis #sig #body
        #errors
    }
}
