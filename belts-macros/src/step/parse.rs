//! The arguments of a marked macro.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens as _;
use syn::{
    Expr, LitStr, Token, Type,
    parse::{ParseStream, Parser as _},
};

use super::{
    call::{CallOptions, called},
    helper::helper_call,
    key::Key,
    marked::Mark,
    options::StepOptions,
    race::{self, Arm},
    transaction::{self, Transaction},
    wait::{WaitOptions, event_type},
    which::Macro,
};
use crate::{
    diag::Errors,
    names::spelled,
    option::{self, Given, duration_value, ungrouped},
};

/// A call, resolved.
pub(crate) struct Call {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Step {
        moves: Option<Token![move]>,
        expr: Expr,
        options: Box<StepOptions>,
    },
    Sleep {
        duration: TokenStream,
    },
    SleepUntil {
        time: Expr,
    },
    Wait {
        event: Type,
        options: Box<WaitOptions>,
    },
    Callback {
        value: Type,
        page: Option<LitStr>,
    },
    Call {
        call: Expr,
        options: Box<CallOptions>,
    },
    Start {
        call: Expr,
        options: Box<CallOptions>,
    },
    Race {
        moves: Option<Token![move]>,
        arms: Vec<Arm>,
    },
    Scope {
        moves: Option<Token![move]>,
        call: Expr,
    },
    Transaction {
        moves: Option<Token![move]>,
        transaction: Box<Transaction>,
        options: StepOptions,
    },
}

impl Call {
    /// `None` if there is no expression to continue with.
    pub(crate) fn parse(
        which: Macro,
        mark: &Mark,
        arguments: TokenStream,
        errors: &mut Errors,
    ) -> Option<Self> {
        let parser = |input: ParseStream<'_>| Ok(read(which, mark, input, errors));
        // Every mistake went to the sink; an error here is about tokens left over after one.
        parser.parse2(arguments).ok().flatten()
    }
}

/// Reads to the end of the input.
fn read(which: Macro, mark: &Mark, input: ParseStream<'_>, errors: &mut Errors) -> Option<Call> {
    let call = match which {
        Macro::Race => read_race(input, errors),
        Macro::Callback => read_callback(input, errors),
        _ => read_other(which, mark, input, errors),
    };
    // Nothing is left unread, or syn would report it a second time.
    let _ = input.parse::<TokenStream>();
    call
}

fn read_race(input: ParseStream<'_>, errors: &mut Errors) -> Option<Call> {
    let (key, moves) = begin(Macro::Race, input, errors)?;
    let arms = race::read(input, errors);
    rest(input, &mut Given::default(), &option::NONE, errors);
    let arms = arms?;
    Some(Call {
        key,
        kind: Kind::Race { moves, arms },
    })
}

fn read_callback(input: ParseStream<'_>, errors: &mut Errors) -> Option<Call> {
    let (key, _) = begin(Macro::Callback, input, errors)?;
    let value = match input.parse::<Type>() {
        Ok(value) => value,
        Err(error) => {
            let message = format!(
                "`callback!` takes the type that it is completed with: `{}`",
                Macro::Callback.example()
            );
            errors.push(error.span(), message);
            return None;
        }
    };
    if let Type::Reference(borrowed) = &value {
        let message = "what completes a callback is read from JSON, so its type must own what it holds: `String` in place of `&str`, \
                       for example";
        errors.at(borrowed, message);
        return None;
    }
    let mut given = Given::default();
    rest(input, &mut given, &option::CALLBACK, errors);
    let page = given.take("page").and_then(|opt| opt.text(errors));
    Some(Call {
        key,
        kind: Kind::Callback { value, page },
    })
}

fn read_other(
    which: Macro,
    mark: &Mark,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> Option<Call> {
    start(which, input, errors).and_then(|(key, moves, expr)| {
        let mut given = Given::default();
        let table = match which {
            Macro::Step => &option::STEP,
            Macro::Wait => &option::WAIT,
            Macro::Call => &option::CALL,
            Macro::Start => &option::START,
            Macro::Transaction => &option::TRANSACTION,
            Macro::Sleep | Macro::SleepUntil | Macro::Callback | Macro::Race | Macro::Scope => {
                &option::NONE
            }
        };
        rest(input, &mut given, table, errors);
        let kind = match which {
            Macro::Step => Kind::Step {
                moves,
                expr: evaluated(&key, expr, errors)?,
                options: Box::new(StepOptions::new(given, &mark.krate, errors)),
            },
            Macro::Sleep => Kind::Sleep {
                duration: duration_value(&expr, &mark.krate, errors),
            },
            Macro::SleepUntil => Kind::SleepUntil { time: expr },
            Macro::Wait => Kind::Wait {
                event: event_type(&key, &expr, errors)?,
                options: Box::new(WaitOptions::new(given, &mark.krate, errors)),
            },
            Macro::Call => Kind::Call {
                call: called(which, &key, expr, errors)?,
                options: Box::new(CallOptions::new(given, &mark.krate, errors)),
            },
            Macro::Start => Kind::Start {
                call: called(which, &key, expr, errors)?,
                options: Box::new(CallOptions::new(given, &mark.krate, errors)),
            },
            Macro::Transaction => Kind::Transaction {
                moves,
                transaction: Box::new(transaction::closure(&key, &expr, errors)?),
                options: StepOptions::new(given, &mark.krate, errors),
            },
            Macro::Callback | Macro::Race | Macro::Scope => Kind::Scope {
                moves,
                call: helper_call(&key, &expr, errors)?,
            },
        };
        Some(Call { key, kind })
    })
}

/// Key and `move`, with something behind them.
fn begin(
    which: Macro,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> Option<(Key, Option<Token![move]>)> {
    let key = key(which, input, errors)?;
    let what = match which {
        Macro::Callback => "the type that `result()` returns",
        Macro::Call | Macro::Start => "the function with its event",
        _ => "something to do",
    };
    let missing = format!(
        "`{}` needs {what} after the key: `{}`",
        which.name(),
        which.example()
    );
    if input.is_empty() {
        errors.at(&key.literal, missing);
        return None;
    }
    if let Err(error) = input.parse::<Token![,]>() {
        errors.add(error);
        return None;
    }
    if input.is_empty() {
        errors.at(&key.literal, missing);
        return None;
    }
    let moves = moves(which, input, errors);
    Some((key, moves))
}

/// Key, `move` and expression.
fn start(
    which: Macro,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> Option<(Key, Option<Token![move]>, Expr)> {
    let (key, moves) = begin(which, input, errors)?;
    match input.parse::<Expr>() {
        Ok(expr) if which == Macro::Step && is_option(&expr) => {
            let message = format!(
                "options come after the expression: `step!({}, charge(&order), {})`",
                key.literal.token(),
                spelled(&expr.to_token_stream())
            );
            errors.at(expr, message);
            None
        }
        Ok(expr) => Some((key, moves, expr)),
        Err(error) => {
            errors.add(error);
            None
        }
    }
}

/// `None` for a key so wrong that what follows it cannot be interpreted.
fn key(which: Macro, input: ParseStream<'_>, errors: &mut Errors) -> Option<Key> {
    let (name, example) = (which.name(), which.example());
    if input.is_empty() {
        errors.push(
            Span::call_site(),
            format!("`{name}` needs a key and something to do: `{example}`"),
        );
        return None;
    }
    if input.peek(LitStr)
        && let Ok(literal) = input.parse::<LitStr>()
    {
        return Some(Key::new(literal.clone()).unwrap_or_else(|error| {
            errors.add(error);
            Key::stand_in(literal)
        }));
    }
    let first = match input.parse::<Expr>() {
        Ok(first) => first,
        Err(error) => {
            errors.add(error);
            return None;
        }
    };
    if let Expr::Lit(literal) = &first
        && let syn::Lit::ByteStr(_) | syn::Lit::CStr(_) = &literal.lit
    {
        errors.at(&first, "a key must be a plain string; remove the prefix");
        return Some(Key::stand_in(LitStr::new("", Span::call_site())));
    }
    // `expr, other` is a computed key; `expr` alone, or with options, has none.
    let options_follow = input.peek2(syn::Ident) && input.peek3(Token![=]);
    if input.peek(Token![,]) && !options_follow {
        errors.at(
            &first,
            "a key must be a string literal; put variables in braces, as in `\"ship-{sku}\"`",
        );
        return Some(Key::stand_in(LitStr::new("", Span::call_site())));
    }
    errors.at(
        &first,
        format!("the first argument of `{name}` must be its key, a string literal: `{example}`"),
    );
    None
}

/// A `move` that does not belong to a closure.
fn moves(which: Macro, input: ParseStream<'_>, errors: &mut Errors) -> Option<Token![move]> {
    if !input.peek(Token![move]) || input.peek2(Token![|]) || input.peek2(Token![||]) {
        return None;
    }
    let moves = input.parse::<Token![move]>().ok()?;
    if matches!(
        which,
        Macro::Sleep
            | Macro::SleepUntil
            | Macro::Wait
            | Macro::Callback
            | Macro::Call
            | Macro::Start
    ) {
        let why = match which {
            Macro::Wait => "write it at the closure: `when = move |event| …`",
            _ => "it borrows nothing",
        };
        errors.at(moves, format!("`{}` takes no `move`: {why}", which.name()));
    }
    Some(moves)
}

/// The options after the expression.
fn rest(input: ParseStream<'_>, given: &mut Given, table: &option::Table, errors: &mut Errors) {
    if input.is_empty() {
        return;
    }
    if let Err(error) = input.parse::<Token![,]>() {
        errors.add(error);
        return;
    }
    given.read(input, table, errors);
}

/// `retries = 3` in place of the expression.
fn is_option(expr: &Expr) -> bool {
    let Expr::Assign(assign) = expr else {
        return false;
    };
    match &*assign.left {
        Expr::Path(path) => path
            .path
            .get_ident()
            .is_some_and(|name| option::STEP.has(&name.to_string())),
        _ => false,
    }
}

/// What a step evaluates: anything but a closure, which it would not call.
fn evaluated(key: &Key, expr: Expr, errors: &mut Errors) -> Option<Expr> {
    let Expr::Closure(closure) = ungrouped(&expr) else {
        return Some(expr);
    };
    let key = key.literal.token();
    let body = &closure.body;
    let written = match ungrouped(body) {
        Expr::Block(_) | Expr::Async(_) => "charge(&order)".to_owned(),
        short => spelled(&short.to_token_stream()),
    };
    let written = written.strip_suffix(".await").unwrap_or(&written);
    let message = format!(
        "a step takes the call itself, not a closure: `step!({key}, {written})`, or `step!({key}, async {{ … }})` for several"
    );
    errors.at(closure, message);
    None
}
