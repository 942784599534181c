//! Half-typed and whole calls.

use quote::quote;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "called with `quote!`")]
fn expanded(which: Macro, arguments: TokenStream) -> String {
    expand(which, quote!(__belts_cx [::belts] #arguments)).to_string()
}

#[test]
fn half_typed_calls_are_one_mistake_and_no_panic() {
    for arguments in [
        quote!(),
        quote!("a"),
        quote!("a",),
        quote!("a", order.),
        quote!("a" order),
        quote!("a", x y),
        quote!("a", x, retries),
        quote!("a", x, retries =),
        quote!("a", x, 5),
        quote!("a", move),
        quote!(x),
        quote!(x, y),
        quote!(5, y),
        quote!("", y),
        quote!("a{", y),
        quote!(,),
    ] {
        let text = expanded(Macro::Step, arguments.clone());
        assert_eq!(
            text.matches("compile_error").count(),
            1,
            "{arguments}: {text}"
        );
        syn::parse_str::<syn::Expr>(&text).expect("an expression");
    }
}

#[test]
fn half_typed_races_are_one_mistake_and_no_panic() {
    for arguments in [
        quote!("a", {}),
        quote!("a", { b }),
        quote!("a", { b = }),
        quote!("a", { b = c }),
        quote!("a", { b = c => }),
        quote!("a", { b == c => d }),
        quote!("a", { _ = c => d }),
        quote!("a", { b = c => d e = f => g }),
        quote!("a", { b = c => d, b = e => f }),
        quote!("a", { b = c => return }),
        quote!("a", b = c => d),
        quote!("a", (b = c => d)),
        quote!("a", { b = c => d }, retries = 1),
    ] {
        let text = expanded(Macro::Race, arguments.clone());
        assert_eq!(
            text.matches("compile_error").count(),
            1,
            "{arguments}: {text}"
        );
        syn::parse_str::<syn::Expr>(&text).expect("an expression");
    }
}

#[test]
fn an_arm_that_is_one_macro_is_told_from_a_block() {
    for (future, is_one_step) in [
        (quote!(step!(__belts_cx [::belts] "b", x)), "true"),
        (quote!(belts::wait!(__belts_cx [::belts] "b", E)), "true"),
        (quote!(step!("b", x)), "false"),
        (quote!(scope!(__belts_cx [::belts] "b", f())), "false"),
        (
            quote!(async { step!(__belts_cx [::belts] "b", x).await }),
            "false",
        ),
    ] {
        let text = expanded(Macro::Race, quote!("a", { c = #future => c? }));
        let wanted = format!("(& __belts_race , 0usize , {is_one_step})");
        assert!(text.contains(&wanted), "{future}: {text}");
    }
}

#[test]
fn mistakes_beside_a_good_expression_keep_it() {
    let text = expanded(Macro::Step, quote!("a", ship(&order), retires = 3));
    assert!(text.contains("ship (& order)"), "{text}");
}

#[test]
fn unmarked_calls_say_where_they_belong() {
    let outside = expand(Macro::Sleep, quote!("a", "1s")).to_string();
    assert!(
        outside.contains("`sleep!` works only inside an `async fn`"),
        "{outside}"
    );
    let nested = expand(Macro::Step, quote!(__belts_nested_fn "a", x)).to_string();
    assert!(nested.contains("`step!` in a nested fn"), "{nested}");
}

#[test]
fn a_closure_is_reported_once_with_its_own_move() {
    for closure in [
        quote!(|| charge(1)),
        quote!(move || async { charge(1).await }),
        quote!(async move || charge(1).await),
    ] {
        let text = expanded(Macro::Step, quote!("a", #closure));
        assert_eq!(text.matches("compile_error").count(), 1, "{text}");
        assert!(text.contains("the call itself, not a closure"), "{text}");
    }
    let text = expanded(Macro::Step, quote!("a", || charge(1)));
    assert!(text.contains("step!(\\\"a\\\", charge(1))"), "{text}");
    let text = expanded(Macro::Step, quote!("a", move ship(i)));
    assert!(text.contains("async move { let mut __belts_step"), "{text}");
}

/// A variable `type` is written `r#type`, and `format!` captures it as `{type}`.
#[test]
fn keys_capture_what_format_captures() {
    for key in ["a-{type}", "a-{self}", "a-{ self }"] {
        let text = expanded(Macro::Step, quote!(#key, x));
        assert!(!text.contains("compile_error"), "{text}");
    }
}

#[test]
fn misplaced_arguments_are_answered_with_the_right_form() {
    for (which, arguments, wanted) in [
        (
            Macro::Step,
            quote!("a", retries = 3, charge()),
            "options come after the expression: `step!(\\\"a\\\", charge(&order), retries = 3)`",
        ),
        (
            Macro::Step,
            quote!(b"a", charge()),
            "a key must be a plain string",
        ),
        (
            Macro::Scope,
            quote!("a", Box::pin(walk(n - 1))),
            "`Box::pin(scope!(\\\"a\\\", walk(n - 1))).await`",
        ),
    ] {
        let text = expanded(which, arguments);
        assert_eq!(text.matches("compile_error").count(), 1, "{text}");
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

/// Functions, constants and blanket traits of the user's got in the way of `value`, `step` and `kind`.
#[test]
fn every_name_that_generated_code_binds_is_its_own() {
    let text = expanded(Macro::Step, quote!("a", X, retries = 3))
        + &expanded(Macro::Scope, quote!("a", X()))
        + &expanded(Macro::Step, quote!("a", todo!()));
    let words: Vec<&str> = text.split_whitespace().collect();
    for at in 1..words.len() {
        let bound = matches!(words[at - 1], "let" | "mut") && words[at] != "mut"
            || words.get(at + 1) == Some(&"=>");
        let plain = words[at].starts_with(|c: char| c.is_ascii_lowercase());
        assert!(!(bound && plain), "{} {}", words[at - 1], words[at]);
    }
}

#[test]
fn options_become_values_of_the_runtime() {
    let text = expanded(
        Macro::Step,
        quote!(
            "a",
            x,
            retries = 5,
            backoff = "1s..1m",
            timeout = LIMIT,
            stall = "30s"
        ),
    );
    for wanted in [
        "retries : :: core :: option :: Option :: Some (5)",
        "first : :: belts :: __private :: duration (1u64 , 0u32)",
        "max : :: belts :: __private :: duration (60u64 , 0u32)",
        "timeout : :: core :: option :: Option :: Some (LIMIT)",
        "stall : :: core :: option :: Option :: Some (:: belts :: __private :: duration (30u64 , 0u32))",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn the_hidden_argument_goes_last() {
    let hidden = ":: belts :: __private :: Entered :: scope (& __belts_entered)";
    for (call, wanted) in [
        (
            quote!(help(x, y)),
            format!("help (x , y , {hidden}) . await"),
        ),
        (quote!((help(x,))), format!("help (x , {hidden}) . await")),
        (
            quote!(self.help()),
            format!("self . help ({hidden}) . await"),
        ),
        (
            quote!(<S as T>::help(&s)),
            format!("< S as T > :: help (& s , {hidden}) . await"),
        ),
    ] {
        let text = expanded(Macro::Scope, quote!("a", #call));
        assert!(text.contains(&wanted), "{wanted} in {text}");
    }
}
