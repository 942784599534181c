//! What a marked macro becomes: a future that does nothing until awaited.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, LitStr, Token, Type, spanned::Spanned as _};

use super::{
    arms, calls,
    error::leaves_error_open,
    key::{Key, Kind as KeyKind, text_at},
    marked::Mark,
    options::{StepOptions, step_options},
    parse::{Call, Kind},
    site::{Site, ends},
    transaction, undo,
    unknown::Unknown,
    wait::{Since, WaitOptions},
};
use crate::{
    diag::Errors,
    names::{Krate, Runtime, at_site},
    option::ungrouped,
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
        } => step(&site, moves, &expr, *options),
        Kind::Sleep { duration } => sleep(&site, &quote!(sleep), &duration),
        Kind::SleepUntil { time } => sleep(&site, &quote!(sleep_until), &time),
        Kind::Wait { event, options } => wait(&site, &event, *options),
        Kind::Callback { value, page } => callback(&site, &value, page.as_ref()),
        Kind::Call { call, options } => calls::expand(&site, &call, *options, true),
        Kind::Start { call, options } => calls::expand(&site, &call, *options, false),
        Kind::Race { moves, arms } => arms::race(&site, moves, &arms),
        Kind::Scope { moves, call } => scope(&site, moves, call),
        Kind::Transaction {
            moves,
            transaction,
            options,
        } => transaction::expand(&site, moves, &transaction, options),
    };
    let errors = errors.drain();
    quote!({ #errors #future })
}

fn step(
    site: &Site<'_>,
    moves: Option<Token![move]>,
    expr: &Expr,
    mut options: StepOptions,
) -> TokenStream {
    let undo = options.undo.take().map(|undo| undo::method(&undo));
    let Site {
        mark,
        here,
        key,
        location,
        names,
    } = site;
    let asked = match &options.unknown {
        Unknown::Ask(asked) => Some(asked.clone()),
        _ => None,
    };
    let parked = matches!(options.unknown, Unknown::Park).then(|| parking(mark, *here));
    let (cx, options) = (&mark.cx, step_options(options, names));
    let diverges = diverges(expr);
    let attempt = if diverges {
        at_expression(expr, quote!(#expr))
    } else {
        at_expression(expr, attempt(&mark.krate, expr))
    };
    // Located at the expression, which errors about the result's type concern.
    let first = at_site(ends(expr).0);
    let Runtime {
        scope,
        step: driver,
        slot,
        ..
    } = mark.krate.at(first);
    // Pinned here and passed as a pointer, so that what drives a step is compiled once for each type of result. It is a coercion in
    // a statement of its own because rustc rechecks pending obligations at each argument: as a call in one expression, five hundred
    // steps take half as long again.
    let place = quote_spanned! {first=>
        let __belts_expression: ::core::pin::Pin<&mut (dyn #slot<_>)> =
            ::core::pin::pin!(::core::option::Option::Some(async #attempt));
    };
    let next = quote_spanned!(first=> #driver::next(&mut __belts_step, __belts_expression).await);
    let (value, result) = if diverges {
        (quote!(::<()>), without_value(*here))
    } else {
        (quote!(), quote_spanned!(at_site(*here)=> __belts_result))
    };
    let asynchronous = quote_spanned!(first=> async);
    let ask = asked.map(|asked| ask(mark, &asked));
    let attempts = quote_spanned! {at_site(*here)=>
        #parked
        loop {
            #ask
            #place
            if let ::core::option::Option::Some(__belts_result) = #next {
                break #result;
            }
        }
    };
    let begin = quote_spanned!(first=> #scope::step #value (#cx, #key, &#location, #options) #undo);
    if mark.awaited && moves.is_none() {
        return quote_spanned!(at_site(*here)=> let mut __belts_step = #begin; #attempts);
    }
    let attempts = quote_spanned!(at_site(*here)=> let mut __belts_step = __belts_step; #attempts);
    let block = at_expression(expr, attempts);
    let end = mark.awaited.then(|| quote_spanned!(first=> .await));
    quote_spanned! {at_site(*here)=>
        let __belts_step = #begin;
        #asynchronous #moves #block #end
    }
}

/// Asks an expression what came of an earlier attempt, where nobody knows.
fn ask(mark: &Mark, asked: &Expr) -> TokenStream {
    let first = at_site(ends(asked).0);
    let Runtime { step, slot, .. } = mark.krate.at(first);
    let attempt = at_expression(asked, attempt(&mark.krate, asked));
    quote_spanned! {first=>
        while #step::asks(&mut __belts_step).await {
            let __belts_asked: ::core::pin::Pin<&mut (dyn #slot<::core::option::Option<_>>)> =
                ::core::pin::pin!(::core::option::Option::Some(async #attempt));
            #step::ask(&mut __belts_step, __belts_asked).await;
        }
    }
}

/// Tells the program that its runs may wait for what settles a step.
fn parking(mark: &Mark, at: Span) -> TokenStream {
    let Runtime {
        submit,
        await_entry,
        callback_entry,
        ..
    } = mark.krate.at(at);
    quote_spanned!(at_site(at)=> const _: () = { #submit! { #await_entry(#callback_entry::TYPES) } };)
}

/// The result of a step whose expression never returns: any type fits, and none has to be named.
fn without_value(at: Span) -> TokenStream {
    quote_spanned! {at_site(at)=>
        match __belts_result {
            ::core::result::Result::Err(__belts_error) => ::core::result::Result::Err(__belts_error),
            #[allow(unreachable_code)]
            ::core::result::Result::Ok(()) => ::core::result::Result::Ok(
                ::core::panic!("the step was recorded before with a value, and now it has none")
            ),
        }
    }
}

/// Whether the expression is a macro that only panics. Only rustc knows what else never returns.
fn diverges(expr: &Expr) -> bool {
    const PANICS: [&str; 4] = ["todo", "unimplemented", "unreachable", "panic"];
    match ungrouped(expr) {
        Expr::Macro(call) => call
            .mac
            .path
            .segments
            .last()
            .is_some_and(|name| PANICS.iter().any(|known| name.ident == known)),
        _ => false,
    }
}

/// The content of an `async` block that evaluates the expression once.
///
/// The expression is the scrutinee of a `match`, so that temporaries it borrows from live until its future is done.
/// For a plain value the arm that awaits is unreachable by type, so that temporaries need not be `Send`.
fn attempt(krate: &Krate, expr: &Expr) -> TokenStream {
    let (here, _) = ends(expr);
    let Runtime {
        flow,
        awaitable,
        fallible,
        of_any_error,
        via_borrowed,
        via_future,
        via_value,
        via_result,
        via_plain,
        ..
    } = krate.at(here);
    let scrutinee = if leaves_error_open(expr) {
        quote_spanned!(at_site(here)=> #of_any_error(#expr))
    } else {
        quote!(#expr)
    };
    quote_spanned! {at_site(here)=>
        match (#scrutinee) {
            __belts_value => {
                let __belts_value = {
                    let __belts_tag = {
                        #[allow(unused_imports)]
                        use #via_future as _;
                        #[allow(unused_imports)]
                        use #via_value as _;
                        (&#awaitable(&__belts_value)).__belts_kind()
                    };
                    match __belts_tag.split(__belts_value) {
                        #flow::Ready(__belts_value) => __belts_value,
                        #flow::Wait(__belts_future) => __belts_tag.only_future(__belts_future).await,
                    }
                };
                let __belts_tag = {
                    #[allow(unused_imports)]
                    use #via_result as _;
                    #[allow(unused_imports)]
                    use #via_borrowed as _;
                    #[allow(unused_imports)]
                    use #via_plain as _;
                    (&&#fallible(&__belts_value)).__belts_kind()
                };
                __belts_tag.finish(__belts_value)
            }
        }
    }
}

/// Braces around `inside`, located at the expression.
fn at_expression(expr: &Expr, inside: TokenStream) -> Group {
    let mut block = Group::new(Delimiter::Brace, inside);
    block.set_span(at_site(ends(expr).1));
    block
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

fn wait(site: &Site<'_>, event: &Type, options: WaitOptions) -> TokenStream {
    let Site {
        mark,
        here,
        key,
        location,
        names,
    } = site;
    let (cx, scope, since) = (&mark.cx, &names.scope, &names.since);
    let of = options.key.map_or_else(
        || {
            let at = ends(&syn::parse_quote!(#event)).0;
            quote_spanned!(at_site(at)=> .keyless())
        },
        |key| {
            let method = quote_spanned!(at_site(ends(&key).0)=> key);
            quote!(.#method(#key))
        },
    );
    let when = options.when.map(|when| {
        let method = quote_spanned!(at_site(ends(&when).0)=> when);
        quote!(.#method(#when))
    });
    let since = options.since.map(|begin| match begin {
        Since::Start => quote!(.since(#since::Start)),
        Since::Now => quote!(.since(#since::Now)),
        Since::Ago(ago) => quote!(.since(#since::Ago(#ago))),
    });
    let end = if let Some(timeout) = options.timeout {
        quote!(.within(#timeout))
    } else {
        quote!(.forever())
    };
    let at = ends(&syn::parse_quote!(#event)).0;
    let Runtime {
        submit,
        await_entry,
        event_set,
        ..
    } = mark.krate.at(at);
    let entry =
        quote_spanned!(at_site(at)=> #submit! { #await_entry(<#event as #event_set>::TYPES) });
    quote_spanned! {at_site(*here)=>
        const _: () = { #entry };
        #scope::wait_for::<#event>(#cx, #key, &#location) #of #since #when #end
    }
}

fn callback(site: &Site<'_>, value: &Type, page: Option<&LitStr>) -> TokenStream {
    let Site {
        mark,
        here,
        key,
        location,
        names,
    } = site;
    let (cx, scope, format) = (&mark.cx, &names.scope, &names.format);
    let end = if let Some(text) = page {
        quote!(.with_page(#format!(#text)))
    } else {
        quote!(.without_page())
    };
    let at = value.span();
    let Runtime {
        submit,
        await_entry,
        callback_entry,
        ..
    } = mark.krate.at(at);
    let has_page = page.is_some();
    let entry = quote_spanned! {at_site(at)=>
        #callback_entry::of::<#value>(#location, #has_page)
    };
    quote_spanned! {at_site(*here)=>
        const __BELTS_CALLBACK: &#callback_entry = &#entry;
        const _: () = {
            #submit! { *__BELTS_CALLBACK }
            #submit! { #await_entry(#callback_entry::TYPES) }
        };
        #scope::callback::<#value>(#cx, #key, &#location, __BELTS_CALLBACK) #end
    }
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
    let (first, last) = ends(&call);
    let hidden = quote_spanned!(at_site(last)=> #entered::scope(&__belts_entered));
    let asynchronous = quote_spanned!(at_site(first)=> async);
    let call = with_last_argument(call, &hidden);
    let block = quote_spanned! {at_site(*here)=>
        let __belts_entered = __belts_entered;
        #entered::begin(&__belts_entered).await;
        #call.await
    };
    let mut block = Group::new(Delimiter::Brace, block);
    block.set_span(at_site(last));
    quote_spanned! {at_site(*here)=>
        let __belts_entered = #scope::enter(#cx, #key, &#location);
        #asynchronous #moves #block
    }
}

/// `helper(a)` as `helper(a, hidden)`: last, so that `Shop::helper(&shop, a)` is called as `shop.helper(a)` is.
fn with_last_argument(mut call: Expr, hidden: &TokenStream) -> Expr {
    let hidden = Expr::Verbatim(hidden.clone());
    match &mut call {
        Expr::Call(call) => call.args.push(hidden),
        Expr::MethodCall(call) => call.args.push(hidden),
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
