//! Half-typed functions keep what is there, and whole ones become a handle.

use quote::quote;

use super::*;

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
                "async fn process (order : Ordered , __belts_cx : & :: belts :: __private :: Scope)"
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
    let (outer, inner) = text.split_once("const process").expect("a constant");
    assert_eq!(
        outer,
        "# [doc = r\" Docs.\"] # [allow (clippy :: x)] # [allow (non_upper_case_globals , dead_code)] pub (crate) "
    );
    assert!(inner.contains("# [instrument]"), "{inner}");
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
            text.matches("key `a` is reached again and again").count(),
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

#[test]
fn helpers_take_the_scope_first() {
    let text = steps::expand(
        quote!(),
        &quote!(
            pub async fn help(&self, n: u32) -> u8 {
                step!("a", n).await
            }
        ),
    )
    .to_string();
    assert!(
        text.contains("fn help (& self , __belts_cx : & :: belts :: __private :: Scope , n : u32)"),
        "{text}"
    );
    let text = steps::expand(
        quote!(),
        &quote!(async fn help<T>(n: T) where T: X { let x = }),
    )
    .to_string();
    assert!(text.contains("fn help < T > (__belts_cx : & :: belts :: __private :: Scope , n : T) where T : X { let x = }"), "{text}");
}
