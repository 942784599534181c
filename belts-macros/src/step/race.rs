//! The arms of a `race!`: `name = future => handler`, each with a name of its own.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::{
    Block, Expr, ExprBlock, Token,
    ext::IdentExt as _,
    parse::{ParseStream, Parser as _, discouraged::Speculative as _},
    spanned::Spanned as _,
    token,
};

use super::{Macro, early, leave, unknown::parks};
use crate::{
    diag::Errors,
    names::{CX, unraw},
    option::ungrouped,
};

/// An arm.
pub(crate) struct Arm {
    /// What its outcome is bound to, and what is recorded if it wins.
    pub(crate) name: Ident,
    pub(crate) future: Expr,
    pub(crate) handler: Expr,
}

impl Arm {
    /// The name as it is recorded.
    pub(crate) fn text(&self) -> String {
        unraw(&self.name)
    }

    /// Whether a marked macro that leaves one last entry is all there is of the arm.
    pub(crate) fn is_one_step(&self) -> bool {
        let call = match ungrouped(&self.future) {
            Expr::Macro(call) => call,
            // Where it is not a callback's, it records nothing.
            Expr::MethodCall(call) => {
                return call.method == "result" || call.method == "result_within";
            }
            _ => return false,
        };
        let marked = matches!(
            call.mac.tokens.clone().into_iter().next(),
            Some(TokenTree::Ident(cx)) if cx == CX
        );
        let last = call.mac.path.segments.last();
        let which = last.and_then(|last| Macro::from_name(&last.ident.to_string()));
        // One that is parked records what settles it before its own entry.
        if which == Some(Macro::Step) && parks(&call.mac.tokens) {
            return false;
        }
        let has_last_entry = matches!(
            which,
            Some(
                Macro::Step
                    | Macro::Transaction
                    | Macro::Sleep
                    | Macro::SleepUntil
                    | Macro::Wait
                    | Macro::Call
                    | Macro::Start
            )
        );
        marked && has_last_entry
    }
}

/// The braces with the arms; `None` if there is nothing to continue with.
pub(super) fn read(input: ParseStream<'_>, errors: &mut Errors) -> Option<Vec<Arm>> {
    let Ok(TokenTree::Group(group)) = input.fork().parse::<TokenTree>() else {
        return not_in_braces(input, errors);
    };
    if group.delimiter() != Delimiter::Brace {
        return not_in_braces(input, errors);
    }
    input.parse::<TokenTree>().ok()?;
    let arms = match parse(group.stream()) {
        Ok(arms) => arms,
        Err(error) => {
            errors.add(error);
            return None;
        }
    };
    if arms.is_empty() {
        let message = format!(
            "a race needs at least one arm, with a name that is recorded if it wins: `{}`",
            Macro::Race.example()
        );
        errors.push(group.span(), message);
        return None;
    }
    report_repeated(&arms, errors);
    let wrong = arms.iter().filter(|arm| {
        let Arm {
            name,
            future,
            handler,
        } = arm;
        let leaves = leave::report(name, [future, handler], errors);
        early::report(name, future, errors) || leaves
    });
    // rustc would say of each what is said already.
    (wrong.count() == 0).then_some(arms)
}

fn not_in_braces(input: ParseStream<'_>, errors: &mut Errors) -> Option<Vec<Arm>> {
    let rest = input.parse::<TokenStream>().unwrap_or_default();
    let message = format!(
        "`race!` takes its arms in braces after the key: `{}`",
        Macro::Race.example()
    );
    errors.at(rest, message);
    None
}

fn report_repeated(arms: &[Arm], errors: &mut Errors) {
    for (at, arm) in arms.iter().enumerate() {
        let name = arm.text();
        if arms[..at].iter().any(|other| other.text() == name) {
            let message = format!(
                "two arms have the name `{name}`, but the winner is recorded by its name; give each arm its own"
            );
            errors.at(&arm.name, message);
        }
    }
}

/// The arms between the braces.
pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Vec<Arm>> {
    let parser = |input: ParseStream<'_>| {
        let mut arms = Vec::new();
        while !input.is_empty() {
            arms.push(arm(input)?);
        }
        Ok(arms)
    };
    parser.parse2(tokens)
}

fn arm(input: ParseStream<'_>) -> syn::Result<Arm> {
    const UNNAMED: &str = "each arm of a race needs a plain name, which its output is bound to and which is recorded if it wins: \
                           `paid = wait!(…) => paid?`";
    let at = input.span();
    let unnamed = || syn::Error::new(at, UNNAMED);
    if !input.peek(syn::Ident) || input.peek2(Token![==]) || !input.peek2(Token![=]) {
        return Err(unnamed());
    }
    let name = input.call(Ident::parse_any).map_err(|_| unnamed())?;
    if input.peek(Token![=>]) {
        return Err(unnamed());
    }
    input.parse::<Token![=]>()?;
    let future = input.parse::<Expr>()?;
    if !input.peek(Token![=>]) {
        let message = format!(
            "an arm needs a handler, which makes the value of the race if the arm wins; add `=> {name}?`, or whatever to do with `{name}`"
        );
        return Err(if input.is_empty() || input.peek(Token![,]) {
            syn::Error::new(future.span(), message)
        } else {
            syn::Error::new(input.span(), message)
        });
    }
    input.parse::<Token![=>]>()?;
    let (handler, may_end) = handler(input)?;
    let is_over = input.is_empty() || (may_end && !input.peek(Token![,]));
    if !is_over {
        input.parse::<Token![,]>()?;
    }
    Ok(Arm {
        name,
        future,
        handler,
    })
}

/// What an arm comes to, and whether it needs no comma behind it, as in a `match`.
fn handler(input: ParseStream<'_>) -> syn::Result<(Expr, bool)> {
    if input.peek(token::Brace) {
        let ahead = input.fork();
        let block: Block = ahead.parse()?;
        if !ahead.peek(Token![.]) && !ahead.peek(Token![?]) {
            input.advance_to(&ahead);
            let block = ExprBlock {
                attrs: Vec::new(),
                label: None,
                block,
            };
            return Ok((Expr::Block(block), true));
        }
    }
    Ok((input.parse()?, false))
}
