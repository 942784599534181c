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
fn move_before_a_closure_is_the_closures() {
    let text = expanded(Macro::Step, quote!("a", move || 5));
    assert!(
        text.contains("async { let mut step") && text.contains("move | | 5"),
        "{text}"
    );
    let text = expanded(Macro::Step, quote!("a", move ship(i)));
    assert!(text.contains("async move { let mut step"), "{text}");
}

#[test]
fn options_become_values_of_the_runtime() {
    let text = expanded(
        Macro::Step,
        quote!("a", x, retries = 5, backoff = "1s..1m", timeout = LIMIT),
    );
    for wanted in [
        "retries : :: core :: option :: Option :: Some (5)",
        "first : :: belts :: __private :: duration (1u64 , 0u32)",
        "max : :: belts :: __private :: duration (60u64 , 0u32)",
        "timeout : :: core :: option :: Option :: Some (LIMIT)",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn the_hidden_argument_goes_first() {
    let text = expanded(Macro::Scope, quote!("a", help(x, y)));
    assert!(
        text.contains(
            "help (:: belts :: __private :: Entered :: scope (& entered) , x , y) . await"
        ),
        "{text}"
    );
    let text = expanded(Macro::Scope, quote!("a", self.help()));
    assert!(
        text.contains(
            "self . help (:: belts :: __private :: Entered :: scope (& entered)) . await"
        ),
        "{text}"
    );
}
