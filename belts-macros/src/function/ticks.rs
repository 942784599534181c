//! What a function that the clock starts becomes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::{model::Function, schedule::Schedule};
use crate::{
    names::{Runtime, at_site},
    step::options::optional,
};

/// What the definition says of the schedule.
pub(super) fn definition(function: &Function) -> TokenStream {
    let Some(Schedule {
        when,
        missed,
        overlap,
        jitter,
    }) = &function.schedule
    else {
        return optional(None);
    };
    let at = function.name.span();
    let Runtime {
        schedule_def,
        schedule_missed,
        schedule_overlap,
        duration,
        ..
    } = function.krate.at(at);
    let variant = |word: &Option<String>| {
        word.as_ref().map(|word| {
            let (first, rest) = word.split_at(1);
            format_ident!("{}{rest}", first.to_uppercase())
        })
    };
    let missed = variant(missed).unwrap_or_else(|| format_ident!("Latest"));
    let overlap = variant(overlap).unwrap_or_else(|| format_ident!("Skip"));
    let jitter = jitter.clone().unwrap_or_else(|| quote!(#duration(0, 0)));
    optional(Some(quote_spanned! {at_site(at)=>
        || #schedule_def {
            when: #when,
            missed: #schedule_missed::#missed,
            overlap: #schedule_overlap::#overlap,
            jitter: #jitter,
        }
    }))
}

/// A compile-time check that the function takes a tick.
pub(super) fn fits(function: &Function) -> TokenStream {
    if function.schedule.is_none() {
        return TokenStream::new();
    }
    let event = &function.event.ty;
    let at = event.span();
    let ticks = function.krate.at(at).ticks;
    quote_spanned! {at_site(at)=>
        const _: fn() = || {
            fn takes<T: #ticks>() {}
            takes::<#event>();
        };
    }
}
