//! What makes code run more than once, so that a key in it needs something that differs.

use syn::{Expr, ExprClosure, ExprMethodCall, Pat};

use super::once::{Once, iterates};

/// Methods of iterators and streams that call their closure once for each item.
const PER_ITEM: [&str; 20] = [
    "map",
    "for_each",
    "flat_map",
    "filter_map",
    "filter",
    "then",
    "fold",
    "try_fold",
    "try_for_each",
    "scan",
    "map_while",
    "take_while",
    "skip_while",
    "inspect",
    "for_each_concurrent",
    "try_for_each_concurrent",
    "any",
    "all",
    "find_map",
    "partition",
];

/// Those that `Option` and `Result` also have, and call at most once.
const PER_VALUE: [&str; 3] = ["map", "filter", "inspect"];

/// What makes code run more than once.
#[derive(Debug, Clone)]
pub(super) struct Repeat {
    pub(super) what: String,
    /// A variable that differs each time, if there is a plain one.
    pub(super) variable: Option<String>,
    /// What else it could be, and what to write then.
    pub(super) otherwise: &'static str,
}

impl Repeat {
    /// What to say of a key that is the same each time.
    pub(super) fn message(&self, key: &str) -> String {
        let Self {
            what, otherwise, ..
        } = self;
        let differs = match &self.variable {
            Some(name) => format!("add what differs, as in `\"{key}-{{{name}}}\"`"),
            None => {
                format!("count the iterations, `n += 1`, and add the number: `\"{key}-{{n}}\"`")
            }
        };
        format!(
            "key `{key}` is reused {what}, but a key is used once in a run; {differs}{otherwise}"
        )
    }
}

/// What makes a closure run repeatedly. One without parameters is not called per item, as that of `bool::then`.
pub(super) fn of(call: &ExprMethodCall, argument: &Expr, once: &Once) -> Option<Repeat> {
    let Expr::Closure(closure) = argument else {
        return None;
    };
    let method = call.method.to_string();
    let per_item = PER_ITEM.contains(&method.as_str()) && !closure.inputs.is_empty();
    if !per_item || once.holds(&call.receiver) {
        return None;
    }
    let may_be_one = PER_VALUE.contains(&method.as_str()) && !iterates(&call.receiver);
    let otherwise = if may_be_one {
        "; if this is an `Option` or a `Result`, write `if let` or `match` instead"
    } else {
        ""
    };
    Some(Repeat {
        what: format!("on every call of the closure of `{method}`"),
        variable: closure_variable(closure),
        otherwise,
    })
}

/// The plain variable that a pattern binds, if it is one.
pub(super) fn variable(pat: &Pat) -> Option<String> {
    match pat {
        Pat::Ident(ident) => Some(ident.ident.to_string()),
        Pat::Reference(reference) => variable(&reference.pat),
        Pat::Type(typed) => variable(&typed.pat),
        _ => None,
    }
}

fn closure_variable(closure: &ExprClosure) -> Option<String> {
    closure.inputs.first().and_then(variable)
}
