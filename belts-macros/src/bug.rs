//! A panic of a macro is our bug: it becomes one compile error that asks for a report, and the user's item is kept.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::quote;

use crate::function::Item;

/// Expands an attribute; after a panic the fn is kept, without its body, since nobody would expand the macros in it.
pub(crate) fn in_attribute(
    name: &str,
    item: &TokenStream,
    expand: impl FnOnce() -> TokenStream,
) -> TokenStream {
    caught(name, expand).unwrap_or_else(|error| {
        let kept = caught(name, || without_body(item)).unwrap_or_default();
        quote!(#kept #error)
    })
}

/// Expands a macro without an item to keep: a derive, or a macro in a body.
pub(crate) fn in_macro(name: &str, expand: impl FnOnce() -> TokenStream) -> TokenStream {
    caught(name, expand).unwrap_or_else(|error| error)
}

fn caught(name: &str, expand: impl FnOnce() -> TokenStream) -> Result<TokenStream, TokenStream> {
    catch_unwind(AssertUnwindSafe(expand)).map_err(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "without a text".to_owned());
        let message = format!(
            "{name} panicked, which is a bug in belts and not in your code; please report it, with the code that this error \
             points at: {text}"
        );
        syn::Error::new(Span::call_site(), message).to_compile_error()
    })
}

fn without_body(item: &TokenStream) -> TokenStream {
    let Ok(Item {
        attrs, vis, sig, ..
    }) = syn::parse2(item.clone())
    else {
        return TokenStream::new();
    };
    let body = quote!(::core::unimplemented!());
    let body = TokenTree::Group(Group::new(Delimiter::Brace, body));
    quote!(#(#attrs)* #[allow(unused)] #vis #sig #body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_keeps_the_signature_and_asks_for_a_report() {
        let item = quote! {
            /// Ships.
            pub(crate) async fn ship(order: Order) -> belts::Result<()> { step!("pack", pack(&order)).await }
        };
        let kept = in_attribute("`#[belts::function]`", &item, || panic!("no token left"));
        let text = kept.to_string();
        assert!(
            text.contains("pub (crate) async fn ship (order : Order) -> belts :: Result < () >"),
            "{text}"
        );
        assert!(!text.contains("step"), "{text}");
        assert!(
            text.contains("`#[belts::function]` panicked, which is a bug in belts")
                && text.contains("no token left"),
            "{text}"
        );
    }

    #[test]
    fn what_is_no_fn_leaves_the_error_alone() {
        let kept = in_attribute(
            "`#[belts::steps]`",
            &quote!(
                struct Ship;
            ),
            || panic!("{}", 1 + 1),
        );
        let text = kept.to_string();
        assert!(
            text.contains("compile_error") && !text.contains("Ship"),
            "{text}"
        );
    }

    #[test]
    fn without_a_panic_nothing_is_added() {
        let expanded = in_macro("`step!`", || quote!(1 + 1));
        assert_eq!(expanded.to_string(), "1 + 1");
    }
}
