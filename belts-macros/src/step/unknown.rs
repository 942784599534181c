//! `unknown = …` of a step: what becomes of it if nobody knows whether it has happened.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Expr, Lit, spanned::Spanned as _};

use crate::{
    diag::{Errors, suggest},
    option::{Opt, ungrouped},
};

const WORDS: [&str; 3] = ["retry", "fail", "park"];

const TAKES: &str = "takes `\"retry\"`, `\"fail\"`, `\"park\"`, or an expression to ask, as in `unknown = ask(find_charge(&key))`";

/// As it is written.
#[derive(Default)]
pub(crate) enum Unknown {
    #[default]
    Retry,
    Fail,
    Park,
    Ask(Box<Expr>),
}

impl Unknown {
    pub(super) fn new(opt: &Opt, errors: &mut Errors) -> Self {
        match ungrouped(&opt.value) {
            Expr::Lit(literal) => {
                if let Lit::Str(text) = &literal.lit {
                    return match text.value().as_str() {
                        "retry" => Self::Retry,
                        "fail" => Self::Fail,
                        "park" => Self::Park,
                        "ask" => {
                            errors.at(text, "`ask` is no word: it takes the expression to ask, as in `unknown = ask(find_charge(&key))`");
                            Self::Retry
                        }
                        other => {
                            let known = suggest(other, &WORDS);
                            errors.at(text, format!("`unknown` cannot be `{other}`; {known}, or `ask(…)` with an expression"));
                            Self::Retry
                        }
                    };
                }
            }
            Expr::Call(call) => {
                if let Expr::Path(path) = ungrouped(&call.func)
                    && path.path.is_ident("ask")
                {
                    if call.args.len() == 1
                        && let Some(asked) = call.args.first()
                    {
                        return Self::asking(asked, errors);
                    }
                    let wrong = "`ask` takes one expression, which returns a `Result<Option<…>>`: `unknown = ask(find_charge(&key))`";
                    errors.push(call.span(), wrong);
                    return Self::Retry;
                }
            }
            _ => {}
        }
        errors.at(&opt.value, format!("`unknown` {TAKES}"));
        Self::Retry
    }

    fn asking(asked: &Expr, errors: &mut Errors) -> Self {
        if let Expr::Closure(closure) = ungrouped(asked) {
            errors.at(
                closure,
                "`ask` takes the call itself, not a closure: `unknown = ask(find_charge(&key))`",
            );
            return Self::Retry;
        }
        Self::Ask(Box::new(asked.clone()))
    }
}

/// Whether the arguments of a step say that its run is parked, so that it may wait.
pub(crate) fn parks(arguments: &TokenStream) -> bool {
    let tokens: Vec<TokenTree> = arguments.clone().into_iter().collect();
    tokens.windows(3).any(|three| match three {
        [TokenTree::Ident(name), TokenTree::Punct(is), value] => {
            name == "unknown" && is.as_char() == '=' && is_park(value)
        }
        _ => false,
    })
}

fn is_park(value: &TokenTree) -> bool {
    match value {
        TokenTree::Literal(text) => {
            let text = syn::parse_str::<syn::LitStr>(&text.to_string());
            text.is_ok_and(|text| text.value() == "park")
        }
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inside = group.stream().into_iter();
            inside.next().is_some_and(|value| is_park(&value))
        }
        _ => false,
    }
}
