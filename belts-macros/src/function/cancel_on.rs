//! `cancel_on`: which events cancel a run of a function.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::{Expr, spanned::Spanned as _};

use super::model::Function;
use crate::{names::at_site, step::options::optional};

/// The events that cancel a run. That their keys fit is asked with each type, and nothing else asks whether it is an event.
pub(super) fn cancel_on(function: &Function) -> TokenStream {
    let Function {
        event,
        cancel_on,
        krate,
        ..
    } = function;
    let event = &event.ty;
    let cancels = |other: &Expr| {
        let at = other.span();
        let cancels = krate.at(at).cancels;
        quote_spanned!(at_site(at)=> <#other as #cancels<#event>>)
    };
    let Some(first) = cancel_on.first() else {
        return optional(None);
    };
    let all = cancel_on.iter().map(|other| {
        let by = cancels(other);
        quote_spanned!(at_site(other.span())=> #by::TYPES)
    });
    let (by, cancel_on) = (cancels(first), krate.at(first.span()).cancel_on);
    optional(Some(quote_spanned! {at_site(first.span())=>
        #cancel_on { events: &[#(#all),*], key: #by::key }
    }))
}
