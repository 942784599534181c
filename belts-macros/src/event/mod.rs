//! `#[derive(Event)]`: one event type from a struct, a union of several from an enum.

mod expand;
mod model;
mod options;
mod renames;
mod serde;
mod shadow;
mod union;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use self::model::Model;
use crate::diag::Errors;

/// Expands the derive for one item.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let model = Model::build(&input, &mut errors);
    let expanded = match &model {
        Some(Model::Struct(event)) => expand::expand(event),
        Some(Model::Union(union)) => union::expand(union),
        None => TokenStream::new(),
    };
    let errors = errors.drain();
    // Expanded anyway, if possible: a mistake in an option should not turn every use of the event into another one.
    quote!(#expanded #errors)
}
