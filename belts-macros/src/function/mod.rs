//! `#[belts::function]` and `#[belts::steps]`.

mod arms;
mod cancel_on;
mod check;
mod expand;
mod failures;
mod fallback;
mod flow;
mod flow_expand;
mod groups;
mod handled;
mod instrument;
mod items;
mod mark;
mod model;
mod parse;
mod schedule;
pub(crate) mod steps;
mod ticks;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use syn::Attribute;

use self::model::Function;
pub(crate) use self::parse::Item;
use crate::{
    diag::Errors,
    names::Krate,
    option::{FUNCTION, Given},
};

/// Expands `#[belts::function(args)] item`.
pub(crate) fn function(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut parsed: Item = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return fallback::not_a_fn(item, "function", &error),
    };
    let mut errors = Errors::default();
    let mut given = Given::parse(args, &FUNCTION, &mut errors);
    let krate = given.krate(&mut errors);
    take_ours(&mut parsed.attrs, "function", &krate, &mut errors);
    let model = Function::build(&parsed, given, krate.clone(), &mut errors);
    check::check(&parsed.body(), &krate, &mut errors);
    match model {
        Some(model) if errors.is_empty() => expand::expand(&model),
        _ => fallback::with_errors(&parsed, &krate, &mut errors),
    }
}

/// Takes a second attribute of ours off the fn, with a message.
fn take_ours(attrs: &mut Vec<Attribute>, first: &str, krate: &Krate, errors: &mut Errors) {
    attrs.retain(|attr| {
        let mut segments = attr.path().segments.iter().rev();
        let Some(second) = segments.next().map(|last| last.ident.to_string()) else {
            return true;
        };
        let belts = match segments.next() {
            Some(root) => root.ident == "belts" || krate.is_named(&root.ident),
            None => true,
        };
        if !belts || (second != "function" && second != "steps") {
            return true;
        }
        errors.at(
            attr,
            if second == first {
                format!("`#[belts::{first}]` is applied twice; keep one")
            } else {
                "an fn is either a function, started by events, or a helper with steps, called with `scope!`; \
                 keep one of `#[belts::function]` and `#[belts::steps]`"
                    .to_owned()
            },
        );
        false
    });
}
