//! Half-typed functions keep what is there, and whole ones become a handle.

mod flow;
mod races;

use quote::quote;

use super::*;

mod volatile;

#[expect(clippy::needless_pass_by_value, reason = "called with `quote!`")]
fn expanded(args: TokenStream, item: TokenStream) -> String {
    function(args, &item).to_string()
}

fn args() -> TokenStream {
    quote!(id = "process", on = Ordered)
}

#[test]
fn half_typed_bodies_stay_in_the_fn() {
    let bodies = [
        (quote!(let x = ), "let x ="),
        (quote!(order.), "order ."),
        (quote!(step!()), "step ! (__belts_cx [:: belts])"),
        (quote!(step!("a")), "step ! (__belts_cx [:: belts] \"a\")"),
        (
            quote!(step!("a",)),
            "step ! (__belts_cx [:: belts] \"a\" ,)",
        ),
        (
            quote!(step!("a", order.).await),
            "step ! (__belts_cx [:: belts] \"a\" , order .) . await",
        ),
        (
            quote!(if order. { step!("a", x) }),
            "if order . { step ! (__belts_cx [:: belts] \"a\" , x) }",
        ),
        (quote!(match), "match"),
    ];
    for (body, wanted) in bodies {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> belts::Result<()> { #body }),
        );
        assert!(
            text.contains(
                "async fn process (order : Ordered , __belts_scope : :: belts :: __private :: Scope)"
            ),
            "{text}"
        );
        assert!(text.contains(wanted), "{wanted} in {text}");
        assert!(!text.contains("compile_error"), "{text}");
    }
}

#[test]
fn half_typed_options_keep_the_fn() {
    let options = [
        quote!(),
        quote!(id),
        quote!(id =),
        quote!(id = "process", o),
        quote!(id = "process", on =),
        quote!(id = "process", on = Ordered, when = |e|),
        quote!(, id = "process"),
        quote!(id = "process" on = Ordered),
    ];
    for option in options {
        let text = expanded(
            option,
            quote!(
                async fn process(order: Ordered) -> belts::Result<()> {
                    order.x()
                }
            ),
        );
        assert!(
            text.contains("async fn process (order : Ordered) -> belts :: Result < () >"),
            "{text}"
        );
        assert!(text.contains("order . x ()"), "{text}");
        assert!(text.contains("compile_error"), "{text}");
    }
}

#[test]
fn half_typed_signatures_are_emitted_as_they_are() {
    for item in [
        quote!(async fn process(order: ) {}),
        quote!(async fn process),
        quote!(async fn),
        quote!(pub),
        quote!(),
    ] {
        let text = expanded(args(), item.clone());
        assert!(text.starts_with(&item.to_string()), "{text}");
        assert!(text.contains("compile_error"), "{text}");
    }
}

#[test]
fn the_handle_has_the_visibility_docs_and_lints_of_the_fn() {
    let text = expanded(
        args(),
        quote! {
            /// Docs.
            #[allow(clippy::x)]
            #[instrument]
            pub(crate) async fn process(order: Ordered) -> belts::Result<u8> { Ok(1) }
        },
    );
    let (outer, inner) = text.split_once("fn process").expect("a fn");
    assert_eq!(
        outer,
        "# [doc = r\" Docs.\"] # [allow (clippy :: x)] # [allow (dead_code , clippy :: used_underscore_binding)] pub (crate) "
    );
    assert!(
        inner.contains("# [instrument (skip (__belts_scope))]"),
        "{inner}"
    );
}

#[test]
fn duplicates_are_found_wherever_they_stand() {
    let duplicates = [
        quote!(step!("a", x).await?; step!("a", y).await),
        quote!(step!("a", x).await?; sleep!("a", "1s").await),
        quote!(try_join!(step!("a", x), scope!("a", y()))),
        quote!(vec![step!("a", x)]; format!("{}", step!("a", y))),
        quote!(if c { step!("a", x) } else { step!("a", y) }),
        quote!(select! { v = step!("a", x) => {}, w = step!("a", y) => {} }),
    ];
    for body in duplicates {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert_eq!(text.matches("key `a` is used 2 times").count(), 2, "{text}");
    }
}

#[test]
fn keys_in_loops_need_a_capture() {
    let loops = [
        quote!(for x in y {
            step!("a", x).await?;
        }),
        quote!(while y {
            step!("a", x).await?;
        }),
        quote!(loop {
            step!("a", x).await?;
        }),
        quote!(y.iter().map(|x| step!("a", x))),
        quote!(join_all(
            y.iter().map(|x| async move { step!("a", x).await })
        )),
        quote!(vec![y.for_each(|x| step!("a", x))]),
    ];
    for body in loops {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert_eq!(
            text.matches("key `a` is reused on every").count(),
            1,
            "{text}"
        );
    }
    let fine = [
        quote!(for x in step!("a", y).await? {
            step!("b-{x}", x).await?;
        }),
        quote!(async { step!("a", x).await }.await),
        quote!(y.unwrap_or_else(|| step!("a", x))),
        quote!(
            fn inner() {
                for x in y {
                    other!("a", x);
                }
            }
        ),
        quote!(for x in y {
            other::step!("a", x);
        }),
    ];
    for body in fine {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert!(!text.contains("compile_error"), "{text}");
    }
}

/// The same key in two builds is one key; in one build it is not, whatever the `#[cfg]`.
#[test]
fn keys_under_different_cfgs_are_one_key() {
    let text = expanded(
        args(),
        quote!(
            async fn process(order: Ordered) -> R {
                #[cfg(a)]
                let x = step!("a", x).await?;
                #[cfg(not(a))]
                let x = { step!("a", y).await? };
                match x {
                    #[cfg(a)]
                    1 => step!("b", y).await,
                    #[cfg(not(a))]
                    _ => step!("b", z).await,
                }
            }
        ),
    );
    assert!(!text.contains("compile_error"), "{text}");
    for body in [
        quote!(#[cfg(a)] step!("a", x).await?; #[cfg(a)] step!("a", y).await),
        quote!(#[cfg(a)] { step!("a", x).await?; } step!("a", y).await),
    ] {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert_eq!(text.matches("is used 2 times").count(), 2, "{text}");
    }
}

/// `#![allow(…)]` at the top of a body turned all checks off.
#[test]
fn inner_attributes_stay_first_and_keep_no_check_away() {
    let body = quote!(#![allow(unused)] step!("a", x).await?);
    let text = expanded(
        args(),
        quote!(async fn process(order: Ordered) -> R { #body; Ok(()) }),
    );
    assert!(
        text.contains("{ # ! [allow (unused)] let __belts_cx = & __belts_scope ;"),
        "{text}"
    );
    let text = expanded(
        args(),
        quote!(async fn process(order: Ordered) -> R { #body; step!("a", y).await }),
    );
    assert_eq!(text.matches("is used 2 times").count(), 2, "{text}");
}

#[test]
fn closures_that_run_once_are_no_loops() {
    for body in [
        quote!(flag.then(|| step!("a", x))),
        quote!(let gift = Some(1); gift.map(|g| step!("a", g))),
        quote!(list.first().map(|g| step!("a", g))),
    ] {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert!(!text.contains("compile_error"), "{text}");
    }
    let text = expanded(
        args(),
        quote!(
            async fn process(order: Ordered) -> R {
                order.gift.map(|g| step!("a", g))
            }
        ),
    );
    assert!(text.contains("if this is an `Option`"), "{text}");
}

#[test]
fn steps_in_tasks_are_refused() {
    for body in [
        quote!(tokio::spawn(async move { step!("a", x).await })),
        quote!(set.spawn(step!("a", x))),
        quote!(handle.spawn_on(async { scope!("a", f(x)).await }, h)),
        quote!(std::thread::spawn(move || step!("a", x))),
    ] {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert_eq!(text.matches("is in a task of its own").count(), 1, "{text}");
    }
    for body in [
        quote!(tokio::spawn(report(step!("a", x).await?))),
        quote!(step!("a", tokio::spawn(work()))),
        quote!(Command::new("ls").spawn()?; step!("a", x).await),
    ] {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert!(!text.contains("compile_error"), "{text}");
    }
}

/// Each use of a function with a mistake was one more mistake: its name stood for something else, or for nothing.
#[test]
fn a_function_with_a_mistake_is_called_as_before() {
    let text = expanded(
        quote!(id = "process", on = Ordered, colour = "red"),
        quote!(
            pub async fn process(order: Ordered) -> belts::Result<u8> {
                Ok(1)
            }
        ),
    );
    let head =
        "pub fn process (order : Ordered) -> :: belts :: Call < Ordered , belts :: Result < u8 >";
    assert!(text.contains(head), "{text}");
    assert!(text.contains("UNFINISHED"), "{text}");
    assert_eq!(text.matches("compile_error").count(), 1, "{text}");
}

#[test]
fn a_second_attribute_of_ours_is_one_mistake() {
    for attribute in [
        quote!(#[belts::function(id = "b", on = B)]),
        quote!(#[belts::steps]),
    ] {
        let text = expanded(
            args(),
            quote!(#attribute async fn process(order: Ordered) -> belts::Result<u8> { Ok(1) }),
        );
        assert_eq!(text.matches("compile_error").count(), 1, "{text}");
        assert!(text.contains("keep one"), "{text}");
    }
}

#[test]
fn helpers_take_the_scope_last_and_by_value() {
    let text = steps::expand(
        quote!(),
        &quote!(
            #[tracing::instrument(skip(self))]
            pub async fn help(&self, n: u32) -> &str {
                step!("a", n).await
            }
        ),
    )
    .to_string();
    let hidden = "__belts_scope : :: belts :: __private :: StepsHelpersAreCalledWithScope";
    assert!(
        text.contains(&format!("fn help (& self , n : u32 , {hidden}) -> & str")),
        "{text}"
    );
    assert!(text.contains("skip (self , __belts_scope)"), "{text}");
    let text = steps::expand(
        quote!(),
        &quote!(async fn help<T>(n: T,) where T: X { let x = }),
    )
    .to_string();
    assert!(
        text.contains(&format!(
            "fn help < T > (n : T , {hidden}) where T : X {{ let __belts_cx ="
        )),
        "{text}"
    );
    assert!(text.contains("let x = }"), "{text}");
}
