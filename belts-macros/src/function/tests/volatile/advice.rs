//! What is advised instead of what differs from run to run.

use proc_macro2::TokenStream;
use quote::quote;

use super::super::{args, expanded};

/// What a body is refused with.
fn said(body: &TokenStream) -> String {
    let text = expanded(
        args(),
        quote!(async fn process(order: Ordered) -> R { #body }),
    );
    let (_, message) = text.split_once("compile_error ! { ").expect("a mistake");
    message.replace('\\', "")
}

#[test]
fn the_advice_can_be_followed() {
    for (body, advice) in [
        (
            quote!(fastrand::shuffle(items);),
            r#"write `step!("random", draw()).await?` with an fn that returns what it draws, or"#,
        ),
        (
            quote!(let one = fastrand::choice(&v);),
            r#"write `step!("random", draw()).await?` with an fn"#,
        ),
        (
            quote!(let lots = rand::random_iter::<u8>().take(3);),
            r#"write `step!("random", draw()).await?` with an fn"#,
        ),
        (
            quote!(let id = id.unwrap_or_else(Uuid::new_v4);),
            r#"write `step!("id", Uuid::new_v4()).await?` before this call, or `|| belts::volatile!(Uuid::new_v4())` where"#,
        ),
        (
            quote!(let n: Vec<_> = v.iter().map(fastrand::u8).collect();),
            "or `|x| belts::volatile!(fastrand::u8(x))` where",
        ),
        (
            quote!(let id = id.unwrap_or_else(|| Uuid::new_v4());),
            r#"write `step!("id", Uuid::new_v4()).await?` before this closure, or `belts::volatile!(Uuid::new_v4())` where"#,
        ),
        (
            quote!(let key = std::env::var("STRIPE_KEY")?;),
            r#"read it at start and pass it as `belts::State`, or write `step!("variable", std::env::var("STRIPE_KEY").ok()).await?` if"#,
        ),
        (
            quote!(let home = env::var_os("HOME");),
            r#"`step!("variable", env::var_os("HOME")).await?` if it is no secret, or `belts::volatile!(env::var_os("HOME"))` where"#,
        ),
        (
            quote!(for pair in std::env::vars() {}),
            "read what you need at start and pass it as `belts::State`, or write `belts::volatile!(std::env::vars())` where",
        ),
        (
            quote!(let t = step!("now", SystemTime::now()).await?; f(t.elapsed());),
            r#"`t.elapsed` outside a step reads the clock, which gives another time whenever the run resumes; write `step!("elapsed", t.elapsed()).await?`, or"#,
        ),
    ] {
        let said = said(&body);
        assert!(said.contains(advice), "{said}\n{advice}");
    }
}
