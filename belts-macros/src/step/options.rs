//! The options of `step!` and `transaction!`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Expr;

use super::{undo, unknown::Unknown};
use crate::{
    diag::Errors,
    names::{Krate, Runtime},
    option::Given,
};

/// Options as expressions of the runtime's types.
pub(crate) struct StepOptions {
    pub(crate) retries: Option<TokenStream>,
    pub(crate) backoff: Option<TokenStream>,
    pub(crate) timeout: Option<TokenStream>,
    pub(crate) stall: Option<TokenStream>,
    pub(crate) unknown: Unknown,
    pub(crate) undo: Option<Expr>,
}

impl StepOptions {
    pub(super) fn new(mut given: Given, krate: &Krate, errors: &mut Errors) -> Self {
        Self {
            retries: given.take("retries").map(|opt| opt.number(0, errors)),
            backoff: given.take("backoff").map(|opt| opt.backoff(krate, errors)),
            timeout: given.take("timeout").map(|opt| opt.duration(krate, errors)),
            stall: given
                .take("stall")
                .map(|opt| opt.some_duration(krate, errors)),
            unknown: given
                .take("unknown")
                .map(|opt| Unknown::new(&opt, errors))
                .unwrap_or_default(),
            undo: given
                .take("undo")
                .and_then(|opt| undo::closure(opt, errors)),
        }
    }
}

pub(super) fn step_options(options: StepOptions, names: &Runtime) -> TokenStream {
    let StepOptions {
        retries,
        backoff,
        timeout,
        stall,
        unknown,
        undo: _,
    } = options;
    let [retries, backoff, timeout, stall] = [retries, backoff, timeout, stall].map(optional);
    let (path, words) = (&names.step_options, &names.unknown);
    let unknown = optional(match unknown {
        Unknown::Retry => None,
        Unknown::Fail => Some(quote!(#words::Fail)),
        Unknown::Park => Some(quote!(#words::Park)),
        Unknown::Ask(_) => Some(quote!(#words::Ask)),
    });
    quote!(#path { retries: #retries, backoff: #backoff, timeout: #timeout, stall: #stall, unknown: #unknown })
}

/// An option's value as an `Option`.
pub(crate) fn optional(value: Option<TokenStream>) -> TokenStream {
    if let Some(value) = value {
        quote!(::core::option::Option::Some(#value))
    } else {
        quote!(::core::option::Option::None)
    }
}
