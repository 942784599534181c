//! What is said of races in a body, and of what is none.

use proc_macro2::TokenStream;
use quote::quote;

use super::{args, expanded};

fn said_of(body: &TokenStream) -> String {
    expanded(
        args(),
        quote!(async fn process(order: Ordered) -> R { #body }),
    )
}

/// The key of a race is before those of its arms, so they may be the same each time if it is not.
#[test]
fn keys_of_arms_are_those_of_their_own_race() {
    let race = quote!(for x in y {
        race!("a-{x}", {
            b = step!("key", x) => b?,
            c = async {
                sleep!("key", "1s").await?;
                race!("inner", { d = step!("key", x) => d? }).await
            } => c?,
        })
        .await?;
    });
    let text = expanded(
        args(),
        quote!(async fn process(order: Ordered) -> R { #race #race }),
    );
    assert!(!text.contains("is used"), "{text}");
    assert!(!text.contains("is reused"), "{text}");
    let twice = quote!(race!("a-{x}", {
        b = async { step!("key", x).await?; step!("key", x).await } => b?,
    }));
    let text = expanded(
        args(),
        quote!(async fn process(order: Ordered) -> R { #twice.await }),
    );
    assert_eq!(
        text.matches("key `key` is used 2 times").count(),
        2,
        "{text}"
    );
}

/// A future that is bound to a name is as good as one that stands in the `select!`.
#[test]
fn futures_of_steps_are_seen_in_a_select_by_their_names() {
    let bodies = [
        quote!(let a = step!("a", x); select! { b = a => {} }),
        quote!(let mut a = step!("a", x).fuse(); select! { b = &mut a => {}, c = d, if e => f }),
        quote!(let a = Box::pin(async { step!("a", x).await }); tokio::pin!(a); select! { b = a => {} }),
        quote!(let a = pin!(step!("a", x)); let a = a; future::select(a, b).await),
        quote!(let a = vec![step!("a", x), step!("b", x)]; select_all(a).await),
        quote!(let mut a = Vec::new(); for n in y { a.push(step!("a-{n}", x)); } select_ok(a).await),
        quote!(let a = y.iter().map(|n| step!("a-{n}", x)).collect::<Vec<_>>(); select_all(a).await),
        quote!(let a = step!("a", x); (a, b).race().await),
        quote!(let a = join(step!("a", x), b); select! { c = a => {} }),
        quote!(let a = FuturesUnordered::new(); let b = step!("a", x); a.push(b)),
    ];
    for body in bodies {
        let text = said_of(&body);
        assert_eq!(
            text.matches("does not record its winner").count(),
            1,
            "{text}"
        );
    }
    let bodies = [
        quote!(let a = FuturesUnordered::new(); a.push(step!("a", x));),
        quote!(let a = y.map(|n| step!("a-{n}", x)).collect::<FuturesUnordered<_>>();),
        quote!(let a: FuturesUnordered<_> = y.map(|n| step!("a-{n}", x)).collect();),
        quote!(let a = FuturesUnordered::from_iter([step!("a", x)]);),
    ];
    for body in bodies {
        let text = said_of(&body);
        assert_eq!(
            text.matches("inside `FuturesUnordered").count(),
            1,
            "{text}"
        );
    }
}

#[test]
fn names_that_hold_no_future_of_a_step_may_stand_in_a_select() {
    let bodies = [
        quote!(let a = step!("a", x).await?; select! { b = ready(a) => {}, c = a => {} }),
        quote!(let a = step!("a", x); let a = a.await?; select! { b = a => {} }),
        quote!(let a = step!("a", x); let b = a.await?; select! { a = c => d(a) }),
        quote!(let a = step!("a", x); for a in b { select! { c = a => {} } }),
        quote!(let a = step!("a", x); if let Some(a) = b { select! { c = a => {} } }),
        quote!(let a = step!("a", x); match b { a => select! { c = a => {} } }),
        quote!({ let a = step!("a", x); a.await?; } select! { c = a => {} }),
        quote!(let (a, b) = (step!("a", x), step!("b", x)); let c = join!(a, b); select! { d = c => {} }),
        quote!(let a = vec![ready(step!("a", x).await?)]; select_all(a).await),
        quote!(let a = FuturesUnordered::new(); a.push(ready(step!("a", x).await?));),
        quote!(let a = other::step!("a", x); select! { b = a => {} }),
        quote!(let a = step!("a", x); join!(a, step!("b", x))),
        quote!(let a = y.map(|n| step!("a-{n}", x)); join_all(a).await),
    ];
    for body in bodies {
        let text = said_of(&body);
        assert!(!text.contains("does not record its winner"), "{text}");
    }
}
