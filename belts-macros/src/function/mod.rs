//! `#[belts::function]` and `#[belts::steps]`.

mod check;
mod expand;
mod fallback;
mod mark;
mod model;
mod parse;
pub(crate) mod steps;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use self::{model::Function, parse::Item};
use crate::{
    diag::Errors,
    option::{FUNCTION, Given},
};

/// Expands `#[belts::function(args)] item`.
pub(crate) fn function(args: TokenStream, item: &TokenStream) -> TokenStream {
    let parsed: Item = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return fallback::not_a_fn(item, "function", &error),
    };
    let mut errors = Errors::default();
    let mut given = Given::parse(args, &FUNCTION, &mut errors);
    let krate = given.krate(&mut errors);
    let model = Function::build(&parsed, given, krate.clone(), &mut errors);
    check::check(&parsed.body(), &krate, &mut errors);
    match model {
        Some(model) if errors.is_empty() => expand::expand(&model),
        _ => fallback::with_errors(&parsed, &krate, &mut errors),
    }
}
