//! `on_failure`: what a failure handler says, and how it is checked.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote_spanned};
use syn::{Expr, Type, spanned::Spanned as _};

use super::model::Function;
use crate::{
    diag::Errors,
    names::{Runtime, at_site, spelled},
    option::Opt,
};

/// A failure handler is started by no event; `None` if it says otherwise.
pub(super) fn instead_of_events(
    on: Option<Opt>,
    cancel_on: Option<&Opt>,
    errors: &mut Errors,
) -> Option<Vec<Expr>> {
    let mut none = Some(Vec::new());
    if let Some(on) = on {
        let message = "a function is started either by events or by the failures of others; keep one of `on` and `on_failure`";
        errors.at(&on.key, message);
        none = None;
    }
    if let Some(cancel_on) = cancel_on {
        let message = "no event cancels a failure handler, since the run that it is about has ended; remove `cancel_on`";
        errors.at(&cancel_on.key, message);
        none = None;
    }
    none
}

/// The functions whose failures one handles; events are written in their place by mistake.
pub(super) fn functions(opt: &Opt, errors: &mut Errors) -> Vec<Expr> {
    let functions = opt.paths(errors);
    for function in &functions {
        let name = spelled(&function.to_token_stream());
        let last = name.rsplit("::").next().unwrap_or(&name);
        if last.starts_with(char::is_uppercase) {
            let message = format!(
                "`{name}` is no function; write the name of the function whose failures this one handles, such as \
                 `on_failure = process_order`"
            );
            errors.at(function, message);
        }
    }
    functions
}

pub(super) fn is_failed(event: &Type) -> bool {
    match event {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Failed"),
        _ => false,
    }
}

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
