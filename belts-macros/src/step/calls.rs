//! What `call!` and `start!` become.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Expr, spanned::Spanned as _};

use super::{call::CallOptions, site::Site, undo};
use crate::names::at_site;

/// The future of a `call!`, or of a `start!`.
pub(super) fn expand(
    site: &Site<'_>,
    call: &Expr,
    options: CallOptions,
    waits: bool,
) -> TokenStream {
    let Site {
        mark,
        here,
        key,
        location,
        names,
    } = site;
    let (cx, scope) = (&mark.cx, &names.scope);
    let CallOptions {
        timeout,
        retries,
        detached,
        attached,
        undo,
    } = options;
    let undo = undo.map(|undo| undo::method(&undo));
    let timeout = timeout.map(|limit| quote!(.timeout(#limit)));
    let retries = retries.map(|retries| quote!(.retries(#retries)));
    let detached = detached.then(|| quote!(.detached()));
    let attached = attached.then(|| quote!(.attached()));
    let at = at_site(call.span());
    let end = if waits {
        quote!(.result())
    } else {
        quote!(.start())
    };
    let end = quote_spanned!(at=> #timeout #retries #detached #attached #undo #end);
    let (submit, await_entry, ended) = (&names.submit, &names.await_entry, &names.ended_types);
    quote_spanned! {at_site(*here)=>
        const _: () = { #submit! { #await_entry(#ended) } };
        #scope::call(#cx, #key, &#location, #call) #end
    }
}
