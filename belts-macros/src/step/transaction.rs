//! `transaction!`: the closure, which is taken apart and expanded in place.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Expr, ExprClosure, Pat, Token, visit::Visit};

use super::{
    error::block_leaves_error_open,
    key::Key,
    options::{StepOptions, step_options},
    site::{Site, ends},
    undo,
};
use crate::{
    diag::Errors,
    names::{Runtime, at_site, spelled},
    option::ungrouped,
};

/// A closure, taken apart.
pub(crate) struct Transaction {
    /// `async |tx|`, for Postgres.
    is_async: bool,
    moves: Option<Token![move]>,
    /// What is called `tx`, perhaps with its type.
    input: Pat,
    body: Expr,
}

/// The closure of a `transaction!`; anything else is told what to write.
pub(super) fn closure(key: &Key, expr: &Expr, errors: &mut Errors) -> Option<Transaction> {
    let key = key.literal.token().to_string();
    let Expr::Closure(closure) = ungrouped(expr) else {
        let message = format!(
            "`transaction!` takes a closure that is written in place: {}",
            forms(&key, "…")
        );
        errors.at(expr, message);
        return None;
    };
    let ExprClosure {
        asyncness,
        capture,
        inputs,
        body,
        ..
    } = closure;
    let Some(input) = inputs.first().filter(|_| inputs.len() == 1) else {
        let message = format!(
            "the closure of `transaction!` takes the transaction and nothing else: {}",
            forms(&key, "…")
        );
        match inputs.get(1) {
            Some(second) => errors.at(second, message),
            None => errors.at(closure, message),
        }
        return None;
    };
    if asyncness.is_none() && is_future(body) {
        let input = spelled(&input.to_token_stream());
        let message = format!(
            "this closure returns a future that would have to borrow the transaction, which closures of this form cannot: put `async` \
             before the closure instead, `transaction!({key}, async |{input}| {{ … }})`"
        );
        errors.at(body, message);
        return None;
    }
    if asyncness.is_none() && awaits(body) {
        let message = format!(
            "a closure with `.await` is one for Postgres: put `async` before it, `transaction!({key}, async |{}| …)`. On SQLite nothing \
             in it is awaited",
            spelled(&input.to_token_stream())
        );
        errors.at(body, message);
        return None;
    }
    if asyncness.is_some() && matches!(ungrouped(body), Expr::Call(_) | Expr::MethodCall(_)) {
        let (input, call) = (
            spelled(&input.to_token_stream()),
            spelled(&body.to_token_stream()),
        );
        let message =
            format!("await what it calls: `transaction!({key}, async |{input}| {call}.await)`");
        errors.at(body, message);
        return None;
    }
    Some(Transaction {
        is_async: asyncness.is_some(),
        moves: *capture,
        input: input.clone(),
        body: (**body).clone(),
    })
}

fn forms(key: &str, body: &str) -> String {
    format!(
        "`transaction!({key}, async |tx| {{ {body} }})` on Postgres, `transaction!({key}, |tx| {{ {body} }})` on SQLite"
    )
}

/// Whether it is `async { … }`, perhaps in `Box::pin(…)` or in braces of its own.
fn is_future(body: &Expr) -> bool {
    match ungrouped(body) {
        Expr::Async(_) => true,
        Expr::Call(call) => call.args.len() == 1 && is_future(&call.args[0]),
        Expr::Block(block) => {
            matches!(&*block.block.stmts, [syn::Stmt::Expr(only, None)] if is_future(only))
        }
        _ => false,
    }
}

/// Whether something is awaited in it, outside of closures and futures of its own.
fn awaits(body: &Expr) -> bool {
    struct Find(bool);
    impl<'ast> Visit<'ast> for Find {
        fn visit_expr_await(&mut self, _: &'ast syn::ExprAwait) {
            self.0 = true;
        }
        fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
        fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
        fn visit_item(&mut self, _: &'ast syn::Item) {}
    }
    let mut find = Find(false);
    find.visit_expr(body);
    find.0
}

/// A loop over the attempts, as that of a step.
pub(super) fn expand(
    site: &Site<'_>,
    moves: Option<Token![move]>,
    transaction: &Transaction,
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
    let (cx, options) = (&mark.cx, step_options(options, names));
    let first = at_site(ends(&transaction.body).0);
    let Runtime {
        scope,
        step: driver,
        slot,
        ..
    } = mark.krate.at(first);
    let attempt = if transaction.is_async {
        in_postgres(site, transaction)
    } else {
        in_sqlite(site, transaction)
    };
    let begin = quote_spanned!(first=> #scope::transaction(#cx, #key, &#location, #options) #undo);
    let moves = moves.or(transaction.moves);
    quote_spanned! {at_site(*here)=>
        let __belts_step = #begin;
        async #moves {
            let mut __belts_step = __belts_step;
            let __belts_recording = #driver::recording(&__belts_step);
            loop {
                let __belts_expression: ::core::pin::Pin<&mut (dyn #slot<_>)> =
                    ::core::pin::pin!(::core::option::Option::Some(async { #attempt }));
                if let ::core::option::Option::Some(__belts_result) =
                    #driver::next(&mut __belts_step, __belts_expression).await
                {
                    break __belts_result;
                }
            }
        }
    }
}

/// One attempt: the transaction is begun, and done again where it met others.
fn in_postgres(site: &Site<'_>, transaction: &Transaction) -> TokenStream {
    let Transaction { input, body, .. } = transaction;
    let (here, _) = ends(body);
    let Runtime {
        of_any_error,
        pg_transaction,
        pg_tries,
        ..
    } = site.mark.krate.at(here);
    // Braces of the closure's own would be said to be unnecessary there.
    let inside = match ungrouped(body) {
        Expr::Block(block) if block.label.is_none() && block.attrs.is_empty() => {
            let statements = &block.block.stmts;
            quote!(#(#statements)*)
        }
        other => quote!(#other),
    };
    let evaluated = quote_spanned! {at_site(here)=>
        async {
            let #input = #pg_transaction::lend(&mut __belts_transaction);
            #inside
        }
    };
    let evaluated = if block_leaves_error_open(body) {
        quote_spanned!(at_site(here)=> #of_any_error(#evaluated))
    } else {
        evaluated
    };
    let finish = finish(site, body);
    quote_spanned! {at_site(here)=>
        let mut __belts_tries = #pg_tries::of_step();
        loop {
            let mut __belts_transaction = match #pg_tries::begin(&mut __belts_tries).await {
                ::core::result::Result::Ok(__belts_transaction) => __belts_transaction,
                ::core::result::Result::Err(__belts_error) => break ::core::result::Result::Err(__belts_error),
            };
            let __belts_value = #evaluated.await;
            let __belts_value = #finish;
            let __belts_end = #pg_tries::end(&mut __belts_tries, __belts_transaction, __belts_recording, __belts_value);
            if let ::core::option::Option::Some(__belts_end) = __belts_end.await {
                break __belts_end;
            }
        }
    }
}

fn in_sqlite(site: &Site<'_>, transaction: &Transaction) -> TokenStream {
    let Transaction { input, body, .. } = transaction;
    let (here, _) = ends(body);
    let Runtime {
        attempted,
        in_sqlite,
        sqlite_transaction,
        ..
    } = site.mark.krate.at(here);
    let returns =
        block_leaves_error_open(body).then(|| quote_spanned!(at_site(here)=> -> #attempted<_>));
    let body = if returns.is_some() && !matches!(ungrouped(body), Expr::Block(_)) {
        quote!({ #body })
    } else {
        quote!(#body)
    };
    let finish = finish(site, &transaction.body);
    quote_spanned! {at_site(here)=>
        #in_sqlite(__belts_recording, |__belts_transaction: &#sqlite_transaction<'_>| {
            #[allow(clippy::redundant_closure_call)]
            let __belts_value = (|#input: &#sqlite_transaction<'_>| #returns #body)(__belts_transaction);
            #finish
        }).await
    }
}

/// A value or a result as what the attempt comes to.
fn finish(site: &Site<'_>, body: &Expr) -> TokenStream {
    let (here, _) = ends(body);
    let Runtime {
        fallible,
        via_borrowed,
        via_plain,
        via_result,
        ..
    } = site.mark.krate.at(here);
    quote_spanned! {at_site(here)=>
        {
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
