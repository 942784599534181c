//! `step!`, `sleep!`, `sleep_until!` and `scope!`, as the attributes have marked them.

mod error;
pub(crate) mod expand;
pub(crate) mod key;
pub(crate) mod parse;

#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};

use self::parse::{Call, Mark};
use crate::diag::Errors;

/// Which of the macros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Macro {
    Step,
    Sleep,
    SleepUntil,
    Scope,
}

impl Macro {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "step" => Some(Self::Step),
            "sleep" => Some(Self::Sleep),
            "sleep_until" => Some(Self::SleepUntil),
            "scope" => Some(Self::Scope),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Step => "step!",
            Self::Sleep => "sleep!",
            Self::SleepUntil => "sleep_until!",
            Self::Scope => "scope!",
        }
    }

    /// A whole call, for messages.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Step => "step!(\"charge-payment\", charge(&order))",
            Self::Sleep => "sleep!(\"cool-off\", \"10m\")",
            Self::SleepUntil => "sleep_until!(\"opening\", time)",
            Self::Scope => "scope!(\"parcel-{n}\", ship_parcel(&order, n))",
        }
    }
}

/// Expands one call.
pub(crate) fn expand(which: Macro, input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let name = which.name();
    let (mark, arguments) = match Mark::split(input) {
        Ok(marked) => marked,
        Err(parse::Unmarked::NestedFn) => {
            let message = format!(
                "`{name}` in a nested fn has no run to belong to; move the fn out, mark it `#[belts::steps]`, \
                 and call it with `scope!`"
            );
            errors.push(Span::call_site(), message);
            return in_block(&mut errors);
        }
        Err(parse::Unmarked::Outside) => {
            let message = format!(
                "`{name}` works only inside an `async fn` marked `#[belts::function]` or `#[belts::steps]`, \
                 written out there under its own name, and not by another macro"
            );
            errors.push(Span::call_site(), message);
            return in_block(&mut errors);
        }
    };
    match Call::parse(which, &mark, arguments, &mut errors) {
        Some(call) => expand::expand(&mark, call, &mut errors),
        None => in_block(&mut errors),
    }
}

/// The mistakes where an expression is due.
fn in_block(errors: &mut Errors) -> TokenStream {
    let errors = errors.drain();
    quote::quote!({ #errors })
}
