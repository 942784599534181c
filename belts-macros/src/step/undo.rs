//! `undo = |stock| release(stock)`: what undoes a step or a call.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::Expr;

use super::site::ends;
use crate::{
    diag::Errors,
    names::{at_site, spelled},
    option::{Opt, ungrouped},
};

/// The closure, or the path of a function: what is called later cannot be a value of now.
pub(super) fn closure(opt: Opt, errors: &mut Errors) -> Option<Expr> {
    let value = opt.value;
    match ungrouped(&value) {
        Expr::Closure(closure) if closure.inputs.len() != 1 => {
            let message = "the closure of `undo` takes one argument, the result that is to be undone: `undo = |stock| release(stock)`";
            errors.at(closure, message);
            None
        }
        Expr::Closure(_) | Expr::Path(_) | Expr::Block(_) => Some(value),
        other => {
            let written = spelled(&other.to_token_stream());
            let written = written.strip_suffix(".await").unwrap_or(&written);
            let message = format!(
                "`undo` takes a closure, which is called with the result when it is to be undone: `undo = move |result| {written}`"
            );
            errors.at(other, message);
            None
        }
    }
}

/// The method of the step that takes it, located at the closure, which errors about its types concern.
pub(super) fn method(undo: &Expr) -> TokenStream {
    let method = quote_spanned!(at_site(ends(undo).0)=> undo);
    quote!(.#method(#undo))
}
