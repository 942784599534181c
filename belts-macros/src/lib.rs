//! The macros of belts. Use them through the `belts` crate, which documents them too.

mod diag;
mod duration;
mod event;
mod function;
mod names;
mod option;
mod step;

use proc_macro::TokenStream;

use crate::step::Macro;

/// Makes a free `async fn(event)` or `async fn(event, cx: belts::Context)` a durable function.
#[proc_macro_attribute]
pub fn function(args: TokenStream, item: TokenStream) -> TokenStream {
    function::function(args.into(), item.into()).into()
}

/// Makes an `async fn` a helper that may contain steps; call it with `scope!`.
#[proc_macro_attribute]
pub fn steps(args: TokenStream, item: TokenStream) -> TokenStream {
    function::steps::expand(args.into(), item.into()).into()
}

/// Runs an expression once in a run, and remembers its value.
#[proc_macro]
pub fn step(input: TokenStream) -> TokenStream {
    step::expand(Macro::Step, input.into()).into()
}

/// Waits, over crashes and restarts.
#[proc_macro]
pub fn sleep(input: TokenStream) -> TokenStream {
    step::expand(Macro::Sleep, input.into()).into()
}

/// Waits for a point in time, over crashes and restarts.
#[proc_macro]
pub fn sleep_until(input: TokenStream) -> TokenStream {
    step::expand(Macro::SleepUntil, input.into()).into()
}

/// Calls a helper marked `#[belts::steps]`; its keys live under this one.
#[proc_macro]
pub fn scope(input: TokenStream) -> TokenStream {
    step::expand(Macro::Scope, input.into()).into()
}

/// Makes a struct an event, or an enum a union of events.
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(item: TokenStream) -> TokenStream {
    event::derive(item.into()).into()
}
