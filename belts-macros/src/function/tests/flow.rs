//! What is said of flow options, and of those that mean nothing together.

use proc_macro2::TokenStream;
use quote::quote;

use super::expanded;

fn said_of(options: &TokenStream, event: &TokenStream) -> String {
    expanded(
        quote!(id = "index", on = Changed, #options),
        quote!(async fn index(event: #event) -> R {}),
    )
}

fn one() -> TokenStream {
    quote!(Changed)
}

fn several() -> TokenStream {
    quote!(Vec<Changed>)
}

#[test]
fn options_are_read_in_any_order_and_number() {
    for options in [
        quote!(throttle(limit = 60, per = "1m")),
        quote!(throttle(
            per = MINUTE,
            limit = N,
            burst = 10,
            key = |e| &e.account
        )),
        quote!(rate_limit(
            limit = 1,
            per = "1h",
            key = |Changed { account, .. }| (account, 7)
        )),
        quote!(debounce(period = "5s", max = "1m")),
        quote!(singleton(), throttle(limit = 1, per = "1s",)),
        quote!(singleton(key = |e| &e.account, then = "queue")),
        quote!(
            idempotent(key = |e| &e.account),
            rate_limit(limit = 1, per = "1h")
        ),
        quote!(priority = |e| e.urgency * 60),
        quote!(
            concurrency = 4,
            concurrency(limit = 5, key = |e| &e.account)
        ),
        quote!(
            concurrency(limit = 5, key = |e| &e.account),
            concurrency(limit = 20, shared = "openai")
        ),
    ] {
        let text = said_of(&options, &one());
        assert!(!text.contains("compile_error"), "{options}: {text}");
        assert!(text.contains("FlowDef"), "{options}: {text}");
    }
    let whole = quote!(
        batch(size = 100, within = "5s", key = |e| &e.account),
        throttle(limit = 1, per = "1s", key = |e| &e.account)
    );
    let text = said_of(&whole, &several());
    assert!(!text.contains("compile_error"), "{text}");
    assert!(text.contains("is_batch : true"), "{text}");
}

fn are_refused<const N: usize>(cases: [(TokenStream, TokenStream, &str); N]) {
    for (options, event, said) in cases {
        let text = said_of(&options, &event);
        assert!(text.contains(said), "{options}: {said}\n{text}");
    }
}

#[test]
fn options_that_mean_nothing_together_are_refused_with_the_reason() {
    let batch = quote!(batch(size = 10, within = "5s"));
    let debounce = quote!(debounce(period = "5s"));
    are_refused([
        (
            quote!(#batch, #debounce),
            several(),
            "keeps every event and `debounce` the last alone",
        ),
        (
            quote!(#batch, singleton()),
            several(),
            "share one run, so there is none to skip",
        ),
        (
            quote!(#batch, idempotent(key = |e| 1)),
            several(),
            "makes one run for each key",
        ),
        (
            quote!(#batch, rate_limit(limit = 1, per = "1s")),
            several(),
            "lets the rest wait",
        ),
        (
            quote!(#batch, priority = |e| 1),
            several(),
            "another place in the queue",
        ),
        (
            quote!(#batch, cancel_on = Gone),
            several(),
            "events of several keys",
        ),
        (
            quote!(#batch, throttle(limit = 1, per = "1s", key = |e| 1)),
            several(),
            "give `batch` this key too",
        ),
        (
            quote!(#debounce, idempotent(key = |e| 1)),
            one(),
            "the first event of a key and `debounce` the last",
        ),
        (
            quote!(#debounce, rate_limit(limit = 1, per = "1s")),
            one(),
            "skips the last events of a burst",
        ),
        (
            quote!(#debounce, singleton()),
            one(),
            "whatever else is live",
        ),
        (
            quote!(debounce(period = "5m", max = "1m")),
            one(),
            "it cannot be shorter",
        ),
    ]);
}

#[test]
fn options_that_mean_nothing_are_refused_with_the_reason() {
    are_refused([
        (quote!(retries = 3), several(), "takes one event at a time"),
        (
            quote!(throttle(limit = 0, per = "0s")),
            one(),
            "`limit` must be at least 1",
        ),
        (
            quote!(throttle(limit = 60)),
            one(),
            "`throttle` needs a `per`",
        ),
        (
            quote!(throttle = 60),
            one(),
            "`throttle` has options of its own",
        ),
        (
            quote!(throttle(limit = 1, per = "1s", key = account)),
            one(),
            "takes a closure over the event",
        ),
        (
            quote!(throttle(limit = 1, per = "1s", key = |a, b| a)),
            one(),
            "with one argument",
        ),
        (
            quote!(throttle(limit = 1, per = "1s", key = async |a| a)),
            one(),
            "remove `async`",
        ),
        (
            quote!(idempotent(within = "1h")),
            one(),
            "`idempotent` needs a `key`",
        ),
        (
            quote!(rate_limit(limit = 1, per = "1h", burst = 3)),
            one(),
            "unknown option `burst`",
        ),
        (
            quote!(singleton(then = "cancel")),
            one(),
            "`then` cannot be `cancel`",
        ),
        (
            quote!(concurrency = 4, concurrency = 5),
            one(),
            "is given twice",
        ),
        (
            quote!(concurrency(limit = 1), concurrency(limit = 2)),
            one(),
            "count the same runs",
        ),
        (
            quote!(
                concurrency(limit = 1, shared = "a"),
                concurrency(limit = 2, shared = "a")
            ),
            one(),
            "can have one limit in a function",
        ),
        (
            quote!(
                concurrency(limit = 1),
                concurrency(limit = 2, shared = "a"),
                concurrency(limit = 3, shared = "b")
            ),
            one(),
            "and not more",
        ),
        (
            quote!(concurrency(key = |e| 1)),
            one(),
            "`concurrency(…)` needs a `limit`",
        ),
    ]);
}

#[test]
fn the_clock_publishes_no_bursts() {
    let text = expanded(
        quote!(id = "report", every = "15m", debounce(period = "5s")),
        quote!(
            async fn report(tick: belts::Tick) -> R {}
        ),
    );
    assert!(text.contains("one tick after the other"), "{text}");
}

#[test]
fn half_typed_options_of_options_keep_the_fn() {
    for options in [
        quote!(throttle),
        quote!(throttle()),
        quote!(throttle(limit)),
        quote!(throttle(limit =)),
        quote!(throttle(limit = 60, key = |e|)),
        quote!(throttle(limit = 60, key = |e| &e.)),
        quote!(batch(size = 1,),),
    ] {
        let text = said_of(&options, &one());
        assert!(text.contains("fn index"), "{options}: {text}");
        assert!(text.contains("compile_error"), "{options}: {text}");
    }
}
