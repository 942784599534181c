//! The functions whose failures a handler handles, and how they are checked.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote_spanned};
use syn::{Expr, spanned::Spanned as _};

use super::model::Function;
use crate::names::{Runtime, at_site, spelled};

/// The functions whose failures a handler handles, with compile-time checks that it can take their events.
pub(super) fn all(function: &Function) -> TokenStream {
    let functions = &function.on_failure;
    if functions.is_empty() {
        return TokenStream::new();
    }
    let at = function.name.span();
    let handled = function.krate.at(at).handled_function;
    let each = functions.iter().map(|failing| {
        let at = failing.span();
        let handled = function.krate.at(at).handled;
        quote_spanned!(at_site(at)=> #handled(#failing))
    });
    let checks = functions.iter().enumerate();
    let checks = checks.map(|(place, failing)| fits(place, failing, function));
    quote_spanned! {at_site(at)=>
        const __BELTS_HANDLED: &[#handled] = &[#(#each),*];
        #(#checks)*
    }
}

fn fits(place: usize, failing: &Expr, function: &Function) -> TokenStream {
    let Function {
        name, event, krate, ..
    } = function;
    let (at, taken) = (failing.span(), &event.ty);
    let Runtime { handles, holds, .. } = krate.at(at);
    let failing = spelled(&failing.to_token_stream());
    let of_a_handler = format!(
        "`{failing}` is a failure handler, whose own failures cannot be handled; give it more `retries`, and watch for its failed \
         runs"
    );
    let misfit = format!(
        "`{name}` handles the failures of `{failing}` but takes `{}`; take a `belts::Failed<…>` of the event of `{failing}`, or \
         of an enum that includes the events of all that it handles",
        spelled(&taken.to_token_stream()),
    );
    let taken = {
        let at = taken.span();
        quote_spanned!(at_site(at)=> <#taken as #handles>::HANDLED)
    };
    quote_spanned! {at_site(at)=>
        const _: () = {
            ::core::assert!(!__BELTS_HANDLED[#place].is_a_handler, #of_a_handler);
            ::core::assert!(#holds(#taken, &[__BELTS_HANDLED[#place].types]), #misfit);
        };
    }
}
