//! After a mistake: the user's fn as written, so that editors and rustc can continue with it, and then the mistakes.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{FnArg, PatType, ReturnType, Signature, Type};

use super::{
    expand::{Head, with_scope},
    model::is_outer,
    parse::Item,
};
use crate::{
    diag::Errors,
    names::{self, Krate, at_site},
};

/// The fn with a scope that never exists, since none of this runs. If its signature is complete, its name returns calls as it
/// would without the mistakes; otherwise each use of it would be another one.
pub(crate) fn with_errors(item: &Item, krate: &Krate, errors: &mut Errors) -> TokenStream {
    let Item {
        attrs,
        vis,
        sig,
        body,
    } = item;
    let mut sig = sig.clone();
    // Awaits in the body are not another mistake.
    sig.asyncness = sig
        .asyncness
        .or_else(|| Some(syn::token::Async(sig.fn_token.span)));
    let errors = errors.drain();
    let Some(body) = body else {
        return quote!(#(#attrs)* #vis #sig; #errors);
    };
    let mut block = Group::new(
        Delimiter::Brace,
        with_scope(body.stream(), &absent(sig.ident.span(), krate), krate).body,
    );
    block.set_span(body.span());
    let lints = quote!(#[allow(dead_code, unused_variables, clippy::all, clippy::pedantic)]);
    let item = if let Some(event) = event(&sig) {
        let (outer, inner): (Vec<_>, Vec<_>) = attrs.iter().cloned().partition(is_outer);
        let head = Head {
            outer: &outer,
            vis,
            name: &sig.ident,
            event,
            output: &output(&sig, krate),
            krate,
        };
        let absent = krate.at(sig.ident.span()).absent;
        head.with(&quote!(#(#inner)* #lints #sig #block), &quote!(), &absent)
    } else {
        quote!(#(#attrs)* #lints #vis #sig #block)
    };
    quote!(#item #errors)
}

/// The statement that a body has in place of its scope.
pub(super) fn absent(at: Span, krate: &Krate) -> TokenStream {
    let (scope, cx) = (krate.at(at).scope, names::cx(at));
    quote_spanned! {at_site(at)=>
        let #cx: &#scope = ::core::option::Option::None.expect("only a function without mistakes has a scope");
    }
}

/// The event, if this could be a function.
fn event(sig: &Signature) -> Option<&PatType> {
    if !sig.generics.params.is_empty() {
        return None;
    }
    match sig.inputs.first()? {
        FnArg::Typed(event) if names_type(&event.ty) => Some(event),
        _ => None,
    }
}

/// Whether the type may appear in a signature: rustc reports `_` and `impl Trait` itself.
fn names_type(ty: &Type) -> bool {
    matches!(ty, Type::Path(_) | Type::Group(_) | Type::Paren(_))
}

fn output(sig: &Signature, krate: &Krate) -> TokenStream {
    match &sig.output {
        ReturnType::Type(_, output) => output.to_token_stream(),
        ReturnType::Default => {
            let result = krate.at(sig.ident.span()).check_result;
            quote!(#result<()>)
        }
    }
}

/// For an item that is not an fn.
pub(crate) fn not_a_fn(item: &TokenStream, attribute: &str, error: &syn::Error) -> TokenStream {
    if super::parse::looks_like_fn(item) {
        // rustc reads the same tokens next and reports what is wrong.
        let error = error.to_compile_error();
        return quote!(#item #error);
    }
    let first = item
        .to_token_stream()
        .into_iter()
        .find(|token| matches!(token, proc_macro2::TokenTree::Ident(_)));
    let span = first.map_or_else(Span::call_site, |token| token.span());
    let message = format!("`#[belts::{attribute}]` can only be applied to an `async fn`");
    let error = syn::Error::new(span, message).to_compile_error();
    quote!(#item #error)
}
