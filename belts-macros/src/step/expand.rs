//! What a marked macro becomes: a future that does nothing until awaited.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, Token, spanned::Spanned as _};

use super::{
    key::{Key, Kind as KeyKind, text_at},
    parse::{Call, Kind, Mark, StepOptions},
};
use crate::{
    diag::Errors,
    names::{Krate, Runtime, at_site},
};

pub(crate) fn expand(mark: &Mark, call: Call, errors: &mut Errors) -> TokenStream {
    let here = call.key.span();
    let names = mark.krate.at(here);
    let site = Site {
        mark,
        here,
        key: key(&call.key, &names),
        location: names.here(here),
        names,
    };
    let future = match call.kind {
        Kind::Step {
            moves,
            expr,
            options,
        } => step(&site, moves, &expr, options),
        Kind::Sleep { duration } => sleep(&site, &quote!(sleep), &duration),
        Kind::SleepUntil { time } => sleep(&site, &quote!(sleep_until), &time),
        Kind::Scope { moves, call } => scope(&site, moves, call),
    };
    let errors = errors.drain();
    quote!({ #errors #future })
}

/// What all the macros share.
struct Site<'a> {
    mark: &'a Mark,
    here: Span,
    key: TokenStream,
    location: TokenStream,
    names: Runtime,
}

fn step(
    site: &Site<'_>,
    moves: Option<Token![move]>,
    expr: &Expr,
    options: StepOptions,
) -> TokenStream {
    let Site {
        mark,
        here,
        key,
        location,
        names,
    } = site;
    let Runtime { scope, next, .. } = names;
    let (cx, options) = (&mark.cx, step_options(options, names));
    let attempt = attempt(&mark.krate, expr);
    // At the place of the expression, which errors about the result's type are about.
    let (first, _) = ends(expr);
    let driver = mark.krate.at(first).step;
    let next_attempt = quote_spanned!(at_site(first)=> #driver::next(&mut step).await);
    let run_attempt = quote_spanned!(at_site(first)=> #driver::attempt(&mut step, #attempt).await);
    quote_spanned! {at_site(*here)=>
        let step = #scope::step(#cx, #key, &#location, #options);
        async #moves {
            let mut step = step;
            loop {
                match #next_attempt {
                    #next::Return(result) => break result,
                    #next::Attempt => #run_attempt,
                }
            }
        }
    }
}

/// The block that evaluates the expression once.
///
/// The expression is a `match`'s scrutinee, so that what it borrows from temporaries lives until its future is done.
/// For a plain value the arm that awaits is unreachable by type, so that temporaries need not be `Send`.
fn attempt(krate: &Krate, expr: &Expr) -> TokenStream {
    let (here, last) = ends(expr);
    let Runtime {
        flow,
        awaitable,
        fallible,
        via_future,
        via_value,
        via_result,
        via_plain,
        ..
    } = krate.at(here);
    let inside = quote_spanned! {at_site(here)=>
            match (#expr) {
                value => {
                    let value = {
                        let tag = {
                            use #via_future as _;
                            use #via_value as _;
                            (&#awaitable(&value)).kind()
                        };
                        match tag.split(value) {
                            #flow::Ready(value) => value,
                            #flow::Wait(future) => tag.only_future(future).await,
                        }
                    };
                    let tag = {
                        use #via_result as _;
                        use #via_plain as _;
                        (&#fallible(&value)).kind()
                    };
                    tag.finish(value)
                }
            }
    };
    let mut block = Group::new(Delimiter::Brace, inside);
    block.set_span(at_site(last));
    quote_spanned!(at_site(here)=> async #block)
}

fn step_options(options: StepOptions, names: &Runtime) -> TokenStream {
    let StepOptions {
        retries,
        backoff,
        timeout,
    } = options;
    let (retries, backoff, timeout) = (optional(retries), optional(backoff), optional(timeout));
    let path = &names.step_options;
    quote!(#path { retries: #retries, backoff: #backoff, timeout: #timeout })
}

/// An option's value as an `Option`.
pub(crate) fn optional(value: Option<TokenStream>) -> TokenStream {
    if let Some(value) = value {
        quote!(::core::option::Option::Some(#value))
    } else {
        quote!(::core::option::Option::None)
    }
}

fn sleep(site: &Site<'_>, method: &TokenStream, until: &impl ToTokens) -> TokenStream {
    let Site {
        mark,
        here,
        key,
        location,
        names,
    } = site;
    let (cx, scope) = (&mark.cx, &names.scope);
    quote_spanned!(at_site(*here)=> #scope::#method(#cx, #key, &#location, #until))
}

fn scope(site: &Site<'_>, moves: Option<Token![move]>, call: Expr) -> TokenStream {
    let Site {
        mark,
        here,
        key,
        location,
        names,
    } = site;
    let Runtime { scope, entered, .. } = names;
    let cx = &mark.cx;
    let hidden = quote_spanned!(at_site(call.span())=> #entered::scope(&entered));
    let call = with_first_argument(call, &hidden);
    quote_spanned! {at_site(*here)=>
        let entered = #scope::enter(#cx, #key, &#location);
        async #moves {
            let entered = entered;
            #entered::begin(&entered).await;
            #call.await
        }
    }
}

/// `helper(a)` as `helper(hidden, a)`.
fn with_first_argument(mut call: Expr, hidden: &TokenStream) -> Expr {
    let hidden = Expr::Verbatim(hidden.clone());
    match &mut call {
        Expr::Call(call) => call.args.insert(0, hidden),
        Expr::MethodCall(call) => call.args.insert(0, hidden),
        _ => {}
    }
    call
}

fn key(key: &Key, names: &Runtime) -> TokenStream {
    let Runtime {
        key: path, format, ..
    } = names;
    match &key.kind {
        KeyKind::Plain(text) => {
            let text = text_at(text, key.span());
            quote!(#path::Literal(#text))
        }
        KeyKind::Captures => {
            let literal = &key.literal;
            quote!(#path::Formatted(#format!(#literal)))
        }
    }
}

/// The places of the first and the last token; a group counts as its brackets.
fn ends(expr: &Expr) -> (Span, Span) {
    let mut tokens = expr.to_token_stream().into_iter();
    let first = tokens.next();
    let last = tokens.last().or_else(|| first.clone());
    let open = first.map_or_else(Span::call_site, |token| match token {
        TokenTree::Group(group) => group.span_open(),
        other => other.span(),
    });
    let close = last.map_or_else(Span::call_site, |token| match token {
        TokenTree::Group(group) => group.span_close(),
        other => other.span(),
    });
    (open, close)
}
